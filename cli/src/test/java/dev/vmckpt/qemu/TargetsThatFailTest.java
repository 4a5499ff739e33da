// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Images;
import dev.vmckpt.images.Target;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Targets that cannot be saved: each is told in words, and goes on as if nobody had come. */
class TargetsThatFailTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void aNumberOrANameThatNobodyHas() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    int free = Integer.parseInt(Files.readString(Path.of("/proc/sys/kernel/pid_max")).strip()) - 1;
    while (Files.exists(Path.of("/proc/" + free))) {
      free--;
    }
    assertThat(vmckpt.fails(4, "snapshot", "" + free).err()).contains("" + free);
    assertThat(vmckpt.fails(4, "inspect", "" + free).err()).contains("" + free);
    assertThat(vmckpt.fails(4, "snapshot", "no-such-name").err()).contains("no-such-name");
    nothingListed(vmckpt);
  }

  @Test
  void aThreadOfTheKernel() throws Exception {
    int kernelThread = kernelThread();
    assumeTrue(kernelThread > 0, "threads of the kernel are not seen from this pid namespace");
    Run run = new Vmckpt(folder).fails(2, "snapshot", "" + kernelThread);
    assertThat(run.err()).contains("thread of the kernel");
  }

  private static int kernelThread() throws IOException {
    for (int pid : Health.numbers(Path.of("/proc"))) {
      try {
        // PF_KTHREAD of include/linux/sched.h
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        if ((Long.parseLong(words[6]) & 0x200000) != 0) {
          return pid;
        }
      } catch (IOException gone) {
        // Ended meanwhile.
      }
    }
    return -1;
  }

  @Test
  void aThreadInsteadOfAProcess() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Target target = Target.start(folder, "registers")) {
      int thread = 0;
      for (int each : Health.numbers(Path.of("/proc/" + target.pid() + "/task"))) {
        thread = each == target.pid() ? thread : each;
      }
      Run run = vmckpt.fails(2, "snapshot", "" + thread);
      assertThat(run.err()).contains("thread of process " + target.pid());
      goesOn(target);
    }
  }

  @Test
  void aProcessOfAnotherUser() throws Exception {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root may become another user");
    Path open = openFolder();
    try (Target target = Target.start(folder, "eventfd")) {
      Vmckpt vmckpt = new Vmckpt(folder).withStore(open.resolve("store")).asNobody(open);
      Run snapshot = vmckpt.fails(6, "snapshot", "" + target.pid(), "--name", "other");
      assertThat(snapshot.err()).contains("its owner", "CAP_SYS_PTRACE");
      assertThat(vmckpt.fails(6, "inspect", "" + target.pid()).err()).contains("its owner");
      goesOn(target);
      nothingListed(vmckpt);
      // A store that is not ours is not used either.
      Vmckpt mine = new Vmckpt(folder);
      mine.ok("snapshot", "" + target.pid(), "--name", "mine");
      assertThat(vmckpt.withStore(mine.store()).run("restore", "mine").code()).isIn(5, 6);
    } finally {
      remove(open);
    }
  }

  @Test
  void withoutPrivileges() throws Exception {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root may become another user");
    Path open = openFolder();
    Path program = Files.copy(Images.program("eventfd"), open.resolve("eventfd"));
    Path log = open.resolve("log");
    int pid =
        Detached.start(
            folder.resolve("nobody.words"),
            List.of(
                "setpriv",
                "--reuid=nobody",
                "--regid=nogroup",
                "--clear-groups",
                program.toString(),
                log.toString()));
    try {
      Beats.program(log).await(pid, 0, 3);
      Vmckpt vmckpt = new Vmckpt(folder).withStore(open.resolve("store")).asNobody(open);
      Path yama = Path.of("/proc/sys/kernel/yama/ptrace_scope");
      boolean mayTrace = !Files.exists(yama) || Files.readString(yama).startsWith("0");
      Run run = vmckpt.run("snapshot", "" + pid, "--name", "own");
      assertThat(run.code()).as(run.err()).isEqualTo(mayTrace ? 0 : 6);
      Beats.program(log).awaitMore(pid, 3);
      Health.awaitUntouched(pid);
      if (mayTrace) {
        Detached.kill(pid);
        assertThat(vmckpt.fails(6, "restore", "own").err()).contains("CAP_CHECKPOINT_RESTORE");
        assertThat(vmckpt.ok("list").out()).contains("own");
      }
    } finally {
      Detached.kill(pid);
      remove(open);
    }
  }

  /** A folder that every user can write to; folders of JUnit are for their owner only. */
  private static Path openFolder() throws IOException {
    Path open =
        Files.createDirectory(
            Path.of(System.getProperty("java.io.tmpdir"), "vmckpt-nobody-" + System.nanoTime()));
    return Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
  }

  private static void remove(Path folder) throws IOException, InterruptedException {
    new ProcessBuilder("rm", "-rf", folder.toString()).start().waitFor();
  }

  @Test
  void aProcessUnderADebugger() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Target target = Target.start(folder, "eventfd")) {
      Process gdb =
          new ProcessBuilder(
                  "gdb", "-q", "-nx", "-batch", "-p", "" + target.pid(), "-ex", "continue")
              .redirectInput(new File("/dev/null"))
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("gdb.out").toFile())
              .start();
      try {
        Health.await(
            "gdb, which lets it run",
            () -> {
              String status = Files.readString(Path.of("/proc/" + target.pid() + "/status"));
              return status.contains("TracerPid:\t" + gdb.pid() + "\n")
                  && status.contains("State:\tS");
            });
        Run run = vmckpt.fails(3, "snapshot", "" + target.pid(), "--name", "debugged");
        assertThat(run.err()).contains("traced", "gdb", "" + gdb.pid());
        assertThat(vmckpt.run("inspect", "" + target.pid()).out()).contains("gdb");
        target.awaitPasses(3);
        nothingListed(vmckpt);
      } finally {
        Detached.signal((int) gdb.pid(), "INT");
        gdb.waitFor();
      }
      goesOn(target);
      vmckpt.ok("snapshot", "" + target.pid(), "--name", "free");
    }
  }

  @Test
  void aProcessThatEndsMeanwhile() throws Exception {
    endMeanwhile(8);
  }

  @Test
  @Tag("long")
  void aProcessThatEndsMeanwhileOverAndOver() throws Exception {
    endMeanwhile(100);
  }

  private void endMeanwhile(int times) throws Exception {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime() & 0xffffff);
    System.out.println("TargetsThatFailTest: -Dvmckpt.seed=" + seed);
    Random random = new Random(seed);
    Vmckpt vmckpt = new Vmckpt(folder).marked();
    long runNanos;
    try (Target target = Target.start(folder, "memory")) {
      long start = System.nanoTime();
      vmckpt.ok("snapshot", "" + target.pid(), "--name", "measured");
      runNanos = System.nanoTime() - start;
    }
    vmckpt.ok("rm", "measured");
    int gone = 0;
    for (int i = 0; i < times; i++) {
      try (Target target = Target.start(folder, "memory")) {
        Path out = folder.resolve("ending.out");
        Path err = folder.resolve("ending.err");
        Process run = vmckpt.start(out, err, "snapshot", "" + target.pid(), "--name", "ending");
        // Most of a run is the start of Java, when nobody looks at the target yet.
        Thread.sleep((long) (runNanos * (0.4 + 0.6 * random.nextDouble())) / 1_000_000);
        Detached.kill(target.pid());
        int code = run.waitFor();
        String said = Files.readString(err);
        assertThat(code).as(said).isIn(0, 4);
        assertThat(said).doesNotContain("\tat ", "something went wrong");
        if (code == 0) {
          vmckpt.ok("verify", "ending");
          vmckpt.ok("rm", "ending");
        } else {
          gone++;
          assertThat(said).contains("vmckpt: ");
          nothingListed(vmckpt);
        }
      }
    }
    System.out.println("TargetsThatFailTest: ended in time " + gone + " of " + times);
    vmckpt.awaitNoLeftovers();
  }

  private static void goesOn(Target target) {
    Health.awaitUntouched(target.pid());
    target.awaitPasses(3);
    assertThat(target.errors()).isEmpty();
  }

  /** Neither a snapshot nor half of one. */
  private static void nothingListed(Vmckpt vmckpt) {
    String[] names = vmckpt.store().toFile().list();
    assertThat(names == null ? List.of() : List.of(names))
        .allMatch(name -> name.equals(".lock") || name.equals("work"));
  }
}
