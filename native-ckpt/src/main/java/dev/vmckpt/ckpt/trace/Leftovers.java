// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * Workspaces that stayed in a target because we were killed while a {@link Lodger} was in it. They
 * are known by their name, or, as many kernels have no names for such areas, by their looks: a page
 * of code that begins as ours does, and right behind it the rest of a workspace, of exactly that
 * length. One that something of the target's has grown onto is not recognised, and stays.
 */
public final class Leftovers {
  private static final int READ_EXECUTE = 5;
  private static final int READ_WRITE = 3;
  private static final long PAGE = 4096;

  private Leftovers() {}

  /**
   * The areas of such workspaces.
   *
   * @param pid the target
   * @param areas its areas, ascending
   */
  public static List<ProcArea> among(int pid, List<ProcArea> areas) {
    List<ProcArea> found = new ArrayList<>();
    for (int i = 0; i + 1 < areas.size(); i++) {
      ProcArea code = areas.get(i);
      ProcArea rest = areas.get(i + 1);
      if (isOurs(code, READ_EXECUTE, PAGE)
          && isOurs(rest, READ_WRITE, OwnTask.WORKSPACE_BYTES - PAGE)
          && code.end() == rest.start()
          && beginsAsOurs(pid, code)) {
        found.add(code);
        found.add(rest);
      }
    }
    return found;
  }

  /**
   * Those of them that nobody lives in: a child of the target that has the same area may be the
   * lodger of another checkpointer, and is let be.
   */
  public static List<ProcArea> deserted(int pid, List<ProcArea> areas) {
    List<ProcArea> found = among(pid, areas);
    if (found.isEmpty()) {
      return found;
    }
    List<ProcArea> inhabited = new ArrayList<>();
    String children = ProcFs.read(ProcFs.of(pid, "task/" + pid + "/children"));
    for (String child : children.strip().split(" ", -1)) {
      if (!child.isEmpty()) {
        inhabited.addAll(areasOf(Integer.parseInt(child)));
      }
    }
    found.removeIf(each -> inhabited.stream().anyMatch(other -> other.start() == each.start()));
    return found;
  }

  private static List<ProcArea> areasOf(int child) {
    try {
      return MapsParser.parse(ProcFs.read(ProcFs.of(child, "maps")));
    } catch (TargetGoneException ended) {
      return List.of();
    }
  }

  private static boolean isOurs(ProcArea area, int protection, long length) {
    return area.length() == length
        && area.protection() == protection
        && area.inode() == 0
        && (area.path().isEmpty() || area.path().equals(Lodger.NAME));
  }

  private static boolean beginsAsOurs(int pid, ProcArea code) {
    try (ProcessMemory memory = new ProcessMemory(pid)) {
      return WorkspaceCode.begins(memory, new RemoteAddress(code.start()));
    }
  }
}
