// SPDX-License-Identifier: Apache-2.0
/**
 * System calls of our own process, and memory outside the Java heap. The only room that knows JNA;
 * nothing of JNA leaves it.
 */
@NullMarked
package dev.vmckpt.ckpt.raw;

import org.jspecify.annotations.NullMarked;
