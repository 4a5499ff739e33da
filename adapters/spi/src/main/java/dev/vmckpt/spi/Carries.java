// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/**
 * One line of the table of what is carried.
 *
 * @param what a kind of resource, in the field's own words
 * @param how how it comes back
 * @param changed whether it comes back otherwise than it was
 */
public record Carries(String what, String how, boolean changed) {}
