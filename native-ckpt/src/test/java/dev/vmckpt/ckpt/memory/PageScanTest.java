// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.remote.Nr;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Both ways of finding a process' own pages, the new ioctl and the old table, find the same ones.
 */
class PageScanTest {
  @Test
  void tableAndIoctlAgree() throws Exception {
    int pid = Spawn.start("/bin/sleep", "30");
    try {
      Thread.sleep(200);
      List<String> byIoctl = new ArrayList<>();
      List<String> byTable = new ArrayList<>();
      try (PageScan ioctl = new PageScan(pid, true);
          PageScan table = new PageScan(pid, false)) {
        for (ProcArea area : MapsParser.parse(ProcFs.read(ProcFs.of(pid, "maps")))) {
          if (!area.path().startsWith("[v")) {
            byIoctl.add(text(area, ioctl.find(area.start(), area.end())));
            byTable.add(text(area, table.find(area.start(), area.end())));
          }
        }
        assertThat(ioctl.byIoctl()).as("this kernel knows PAGEMAP_SCAN (6.7 or newer)").isTrue();
        assertThat(table.byIoctl()).isFalse();
      }
      assertThat(byTable).isEqualTo(byIoctl);
      assertThat(String.join("", byIoctl)).contains("+");
    } finally {
      Sys.tryCall(Nr.KILL, pid, 9, 0);
      Sys.tryCall(Nr.WAIT4, pid, new NativeBuffer(8).address(), 0);
    }
  }

  private static String text(ProcArea area, Extents extents) {
    StringBuilder text = new StringBuilder(area.path()).append(' ');
    for (int i = 0; i < extents.count(); i++) {
      text.append(Long.toHexString(extents.start(i))).append('+');
      text.append(extents.end(i) - extents.start(i)).append(' ');
    }
    return text.toString();
  }
}
