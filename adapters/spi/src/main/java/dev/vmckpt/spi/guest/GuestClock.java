// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * The time of a guest.
 *
 * @param guestNanos what its paravirtual clock showed, in nanoseconds since its start; -1 if there
 *     is none
 * @param realtimeNanos the host's CLOCK_REALTIME at that instant, in nanoseconds since 1970; 0 if
 *     unknown
 * @param hostTsc the host's time stamp counter at that instant, 0 if unknown
 * @param hostTscKhz the frequency of the host's time stamp counter in kHz, 0 if unknown
 */
public record GuestClock(long guestNanos, long realtimeNanos, long hostTsc, int hostTscKhz) {}
