// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.Arrays;
import java.util.HexFormat;

/** The machine code at the beginning of the workspace of an {@link OwnTask}. */
final class WorkspaceCode {
  static final int SWEEP_OFFSET = 512;

  /** Where a task ends by itself: the handler of its SIGTRAP. */
  static final int END_OFFSET = 768;

  /** The bit of a row's number that has the call made only if the one before returned 0. */
  static final long IF_ZERO = 1L << 32;

  /**
   * Loads a call from the table at rbx, makes it, stores its result, r12 times; then int3. A call
   * that is not made has the result -ECANCELED.
   */
  private static final byte[] LOOP =
      HexFormat.of()
          .parseHex(
              "488b03480fbaf020731048837bf800740948c7c083ffffffeb1a488b7b08488b7310488b53184c8b53204c8b4328"
                  + "4c8b4b300f05488943384883c34049ffcc75bfcc");

  /** Makes the call at rbx while it returns the usual, counting in r12; then int3. */
  private static final byte[] SWEEP =
      HexFormat.of()
          .parseHex(
              "488b03488b7b08488b7310488b53180f05483b43387514488b4320488b4b2848010849ffc44c3b633072d5cc");

  /** exit_group(0). */
  private static final byte[] END = HexFormat.of().parseHex("b8e700000031ff0f05cc");

  private WorkspaceCode() {}

  static void write(ProcessMemory memory, RemoteAddress workspace) {
    memory.write(workspace, LOOP);
    memory.write(workspace.plus(SWEEP_OFFSET), SWEEP);
    memory.write(workspace.plus(END_OFFSET), END);
  }

  /** Whether there is a workspace of ours. */
  static boolean begins(ProcessMemory memory, RemoteAddress at) {
    return Arrays.equals(memory.read(at, LOOP.length), LOOP)
        && Arrays.equals(memory.read(at.plus(SWEEP_OFFSET), SWEEP.length), SWEEP);
  }
}
