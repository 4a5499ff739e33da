// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.memory.PageScan;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.spi.image.HostFacts;
import dev.vmckpt.spi.image.MemoryImage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/** The facts of a machine that a restore depends on. */
public final class Hosts {
  /** struct xregs_state: the kernel puts the mask of all components it saves here for ptrace. */
  private static final int XFEATURES_OFFSET = 464;

  private Hosts() {}

  /** The release of the running kernel. */
  public static String kernel() {
    return ProcFs.read(Path.of("/proc/sys/kernel/osrelease")).strip();
  }

  /** The components of an extended state that the kernel saves, as a mask. */
  public static long xfeatures(byte[] xstate) {
    return ByteBuffer.wrap(xstate).order(ByteOrder.LITTLE_ENDIAN).getLong(XFEATURES_OFFSET);
  }

  /** The digest of a vDSO. */
  public static int digest(byte[] vdso) {
    CRC32C crc = new CRC32C();
    crc.update(vdso, 0, vdso.length);
    return (int) crc.getValue();
  }

  static HostFacts facts(byte[] xstate, byte[] vdso, MemoryImage memory) {
    return new HostFacts(
        kernel(),
        PageScan.PAGE,
        xfeatures(xstate),
        xstate.length,
        digest(vdso),
        memory.vdsoEnd().value() - memory.vdso().value());
  }
}
