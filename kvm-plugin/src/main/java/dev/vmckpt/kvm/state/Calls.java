// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** What all calls of KVM have in common. */
public final class Calls {
  private static final int HIGHEST_ERRNO = 4095;

  private Calls() {}

  /**
   * The result of a call that must have succeeded.
   *
   * @throws SyscallException if it did not
   */
  public static long check(String call, RemoteFd fd, long result) {
    return check(call, fd.toString(), result);
  }

  /**
   * The result of a call that must have succeeded.
   *
   * @throws SyscallException if it did not
   */
  public static long check(String call, String subject, long result) {
    if (result < 0 && result >= -HIGHEST_ERRNO) {
      throw new SyscallException(call, (int) -result, subject);
    }
    return result;
  }

  /** The failure of a group that is not what this version writes. */
  static SnapshotException corrupt(String group, RemoteFd fd, String problem) {
    return new SnapshotException(
        SnapshotException.Fault.CORRUPT,
        "the group " + group + " in the record of " + fd + " " + problem);
  }

  /** The bytes as the processor sees them: little endian. */
  public static ByteBuffer view(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** A new structure of that many zeros. */
  public static ByteBuffer struct(int bytes) {
    return view(new byte[bytes]);
  }
}
