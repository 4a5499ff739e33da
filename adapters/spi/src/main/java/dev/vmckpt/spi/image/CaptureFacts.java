// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * How the pages of a snapshot were captured.
 *
 * @param method by a copy-on-write split, or by copying while the target stood still
 * @param reason why not the split, or empty
 * @param pauseMicros first thread stopped to last thread running, in microseconds
 * @param memoryBytes bytes of memory that hold data
 * @param copiedInPauseBytes bytes of memory and of disks that had to be copied inside the pause
 */
public record CaptureFacts(
    Method method, String reason, long pauseMicros, long memoryBytes, long copiedInPauseBytes) {
  /** The two ways to capture memory. */
  public enum Method {
    FORK,
    STOP
  }
}
