// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.image.LimitImage;
import dev.vmckpt.spi.remote.Nr;
import java.util.ArrayList;
import java.util.List;

/** Resource limits (prlimit(2)), read and set from outside. */
public final class Limits {
  private static final int RESOURCES = 16;

  private Limits() {}

  /** Reads them. Stands in the pause. */
  public static List<LimitImage> capture(int pid) {
    List<LimitImage> limits = new ArrayList<>(RESOURCES);
    NativeBuffer limit = new NativeBuffer(16);
    for (int resource = 0; resource < RESOURCES; resource++) {
      Sys.call(
          "prlimit64", "process " + pid, Nr.PRLIMIT64, pid, resource, 0, limit.address(), 0, 0);
      limits.add(new LimitImage(limit.bytes().getLong(0), limit.bytes().getLong(8)));
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
