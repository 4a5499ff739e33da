// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcLimits;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.image.LimitImage;
import dev.vmckpt.spi.remote.Nr;
import java.util.ArrayList;
import java.util.List;

/** Resource limits (getrlimit(2)), read and set from outside. */
public final class Limits {
  private Limits() {}

  /** Reads them. Stands in the pause. */
  public static List<LimitImage> capture(int pid) {
    List<ProcLimits.Limit> found = ProcLimits.parse(ProcFs.read(ProcFs.of(pid, "limits")));
    List<LimitImage> limits = new ArrayList<>(found.size());
    for (int i = 0; i < found.size(); i++) {
      limits.add(new LimitImage(found.get(i).current(), found.get(i).maximum()));
    }
    return limits;
  }

  /** Sets them. */
  public static void restore(int pid, List<LimitImage> limits) {
    NativeBuffer limit = new NativeBuffer(16);
    for (int resource = 0; resource < limits.size(); resource++) {
      limit.bytes().putLong(0, limits.get(resource).current());
      limit.bytes().putLong(8, limits.get(resource).maximum());
      Sys.call(
          "prlimit64",
          "limit " + resource + " of process " + pid,
          Nr.PRLIMIT64,
          pid,
          resource,
          limit.address(),
          0,
          0,
          0);
    }
  }
}
