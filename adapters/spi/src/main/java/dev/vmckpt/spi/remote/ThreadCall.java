// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

import java.util.List;

/**
 * A stopped thread and the system call it stands in.
 *
 * @param tid the thread, in our pid namespace
 * @param number the call, or {@link #NONE}
 * @param arguments its six arguments
 * @param result what it returned, or minus the errno; while it is being entered -ENOSYS
 */
public record ThreadCall(Tid tid, int number, List<Long> arguments, long result) {
  /** The number of a thread that is in no system call. */
  public static final int NONE = -1;
}
