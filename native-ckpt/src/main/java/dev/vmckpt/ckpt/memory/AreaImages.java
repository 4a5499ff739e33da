// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.FileIdentity;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns the plan of an area into its record. */
final class AreaImages {
  private static final String NAMED = "[anon:";
  private static final String MEMFD = "/memfd:";
  private static final String DELETED = " (deleted)";

  /**
   * The flags of /proc/PID/smaps that somebody set and that have to be set again
   * (proc_pid_smaps(5)).
   */
  private static final List<String> KEPT =
      List.of("gd", "lo", "lf", "dc", "wf", "dd", "hg", "nh", "mg", "sr", "rr", "nr", "mw", "ac");

  private AreaImages() {}

  static AreaImage of(AreaPlan plan, int descriptor, long imageOffset, long dataBytes) {
    ProcArea area = plan.area();
    List<String> flags = new ArrayList<>();
    for (String flag : area.vmFlags()) {
      if (KEPT.contains(flag)) {
        flags.add(flag);
      }
    }
    boolean memory = plan.source() == AreaImage.Source.SHARED_MEMORY;
    boolean byFile =
        memory
            || plan.source() == AreaImage.Source.FILE
            || plan.source() == AreaImage.Source.SHARED_FILE
            || plan.source() == AreaImage.Source.DESCRIPTOR;
    @Nullable FileIdentity file = plan.file();
    return new AreaImage(
        new RemoteAddress(area.start()),
        new RemoteAddress(area.end()),
        area.protection(),
        plan.source(),
        file,
        byFile ? area.offset() : 0,
        memory ? plan.descriptor() : descriptor,
        imageOffset,
        dataBytes,
        flags,
        name(area.path()));
  }

  private static @Nullable String name(String path) {
    if (path.startsWith(NAMED)) {
      return path.substring(NAMED.length(), path.length() - 1);
    }
    if (path.startsWith(MEMFD)) {
      int end = path.endsWith(DELETED) ? path.length() - DELETED.length() : path.length();
      return path.substring(MEMFD.length(), end);
    }
    return null;
  }
}
