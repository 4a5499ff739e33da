// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Target;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A store on a disk that is full, and on one that cannot be written. */
class StoresThatFailTest {
  @TempDir Path folder = Path.of("/nonexistent");
  private Path disk = Path.of("/nonexistent");

  @BeforeEach
  void mount() throws Exception {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root may mount a file system to fill");
    disk = Files.createDirectory(folder.resolve("disk"));
    Commands.execute("mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", disk.toString());
  }

  @AfterEach
  void unmount() throws Exception {
    Commands.execute("umount", "-l", disk.toString());
  }

  @Test
  void aDiskThatIsFull() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder).withStore(disk.resolve("store"));
    try (Target target = Target.start(folder, "memory")) {
      Run saved = vmckpt.ok("snapshot", "" + target.pid(), "--name", "measured", "--json");
      int kib = saved.number("imageBytes") / 1024;
      vmckpt.ok("rm", "measured");
      // Full at the beginning, within the pages, and at the end.
      for (int size : new int[] {8, 16, kib / 4, kib / 2, kib * 3 / 4, kib - 8}) {
        resize(size);
        Run run = vmckpt.run("snapshot", "" + target.pid(), "--name", "full");
        assertThat(run.code()).as("%d of %d KiB: %s", size, kib, run.err()).isIn(0, 1);
        if (run.code() == 0) {
          vmckpt.ok("rm", "full");
          continue;
        }
        assertThat(run.err()).contains("vmckpt: ", "--store").containsAnyOf("full", "room");
        assertThat(names()).isSubsetOf(".lock", "work");
        goesOn(target);
      }
      resize(64 << 10);
      vmckpt.ok("snapshot", "" + target.pid(), "--name", "roomy");
      vmckpt.ok("verify", "roomy");
    }
  }

  @Test
  void aDiskThatCannotBeWritten() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder).withStore(disk.resolve("store"));
    try (Target target = Target.start(folder, "eventfd")) {
      vmckpt.ok("snapshot", "" + target.pid(), "--name", "before");
      Commands.execute("mount", "-o", "remount,ro", disk.toString());
      Run run = vmckpt.fails(1, "snapshot", "" + target.pid(), "--name", "after");
      assertThat(run.err()).contains("read-only");
      goesOn(target);
      assertThat(vmckpt.ok("list").out()).contains("before").doesNotContain("after");
      vmckpt.ok("verify", "before");
      Detached.kill(target.pid());
      Run restore = vmckpt.fails(1, "restore", "before");
      assertThat(restore.err()).contains("read-only");
    }
  }

  @Test
  void aStoreThatIsAFile() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "words");
    try (Target target = Target.start(folder, "eventfd")) {
      Vmckpt vmckpt = new Vmckpt(folder).withStore(file);
      assertThat(vmckpt.run("snapshot", "" + target.pid()).code()).isIn(1, 2);
      Vmckpt below = vmckpt.withStore(file.resolve("store"));
      assertThat(below.fails(1, "snapshot", "" + target.pid()).err()).contains("folder");
      assertThat(file).hasContent("words");
      goesOn(target);
    }
  }

  private void resize(int kib) throws Exception {
    Commands.execute("mount", "-o", "remount,size=" + kib + "k", disk.toString());
  }

  private List<String> names() {
    String[] names = disk.resolve("store").toFile().list();
    return names == null ? List.of() : List.of(names);
  }

  private static void goesOn(Target target) {
    Health.awaitUntouched(target.pid());
    target.awaitPasses(3);
    assertThat(target.errors()).isEmpty();
  }
}
