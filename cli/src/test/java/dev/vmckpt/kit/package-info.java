/** What tests of adapters share. */
@org.jspecify.annotations.NullMarked
package dev.vmckpt.kit;
