// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * The clocks as the target saw them when it was frozen (clock_gettime(2)), in nanoseconds.
 *
 * @param monotonicNanos CLOCK_MONOTONIC inside the target's time namespace
 * @param boottimeNanos CLOCK_BOOTTIME inside the target's time namespace
 * @param realtimeNanos CLOCK_REALTIME
 */
public record ClocksImage(long monotonicNanos, long boottimeNanos, long realtimeNanos) {}
