// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vmckpt.ckpt.Inspection.Verdict;
import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.images.Detached;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.store.Stored;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process in a mount namespace of its own: what counts is what it has open there. */
class MountsTest {
  private static final String TICKS =
      "; i=0; while :; do i=$((i+1)); echo tick $i; read -t 0.1 x <>\"$0\"; done";

  @TempDir Path folder = Path.of("/nonexistent");

  private int start(String mounts) throws Exception {
    Path pipe = folder.resolve("pipe");
    new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor();
    return Detached.start(
        folder.resolve("words"),
        List.of("unshare", "-m", "bash", "-c", mounts + TICKS, pipe.toString()));
  }

  @Test
  void theSameFilesUnderAnotherDevAreNoObstacle() throws Exception {
    int pid =
        start("mount -t tmpfs dev /dev && mknod /dev/null c 1 3 && exec </dev/null 3</dev/null");
    try (Workshop workshop = new Workshop(folder)) {
      new LogFile(folder.resolve("words")).await(pid, "tick 2");
      assertThat(workshop.inspect(pid).resources())
          .filteredOn(each -> each.kind().equals("process"))
          .singleElement()
          .matches(each -> each.verdict() == Verdict.CHANGED)
          .matches(each -> each.summary().contains("comes back in vmckpt's"));
      Stored saved = workshop.snapshot(pid);
      Detached.kill(pid);
      Restored restored = workshop.restore(saved);
      assertThat(Files.readSymbolicLink(Path.of("/proc/" + restored.pid() + "/ns/mnt")))
          .isEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/mnt")));
      assertThat(
              Files.isSameFile(Path.of("/proc/" + restored.pid() + "/fd/3"), Path.of("/dev/null")))
          .isTrue();
    } finally {
      Detached.kill(pid);
    }
  }

  @Test
  void anotherFileUnderTheSamePathIs() throws Exception {
    Path here = Files.writeString(folder.resolve("data"), "here");
    Path there = Files.writeString(folder.resolve("other"), "there");
    int pid = start("mount --bind " + there + " " + here + " && exec 3<" + here);
    try (Workshop workshop = new Workshop(folder)) {
      new LogFile(folder.resolve("words")).await(pid, "tick 2");
      RefusedException refused =
          catchThrowableOfType(RefusedException.class, () -> workshop.snapshot(pid));
      assertThat(refused.refusals())
          .singleElement()
          .matches(each -> each.why().contains("where " + here + " is another file"))
          .matches(each -> each.remedy().contains("nsenter"));
    } finally {
      Detached.kill(pid);
    }
  }
}
