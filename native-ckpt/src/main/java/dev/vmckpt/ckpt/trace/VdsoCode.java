// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds a {@code syscall} instruction in the vDSO of a process: code that is there in every one.
 */
public final class VdsoCode {
  private VdsoCode() {}

  /** The areas of a process. */
  public static List<ProcArea> areas(int pid) {
    return MapsParser.parse(ProcFs.read(ProcFs.of(pid, "maps")));
  }

  /**
   * The address of a {@code syscall} instruction.
   *
   * @param areas those of the process
   * @throws FailureException if it has no vDSO
   */
  public static RemoteAddress syscall(ProcessMemory memory, List<ProcArea> areas) {
    @Nullable RemoteAddress found = null;
    for (ProcArea area : areas) {
      if (area.path().equals("[vdso]")) {
        byte[] code = memory.read(new RemoteAddress(area.start()), (int) area.length());
        for (int i = 0; i + 1 < code.length && found == null; i++) {
          if (code[i] == 0x0f && code[i + 1] == 0x05) {
            found = new RemoteAddress(area.start() + i);
          }
        }
      }
    }
    if (found == null) {
      throw new FailureException("the process has no vDSO with a system call in it");
    }
    return found;
  }
}
