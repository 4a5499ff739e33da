// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.EventQueue;
import dev.vmckpt.qmp.Events;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * The guest of a QEMU stands still for the pause by QEMU's own means, and goes on by them: here and
 * where it is restored, also if vmckpt is killed in between.
 */
@Isolated
class CleanInstantTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private Machine machine = Machine.none(vmckpt);

  @BeforeEach
  void boot() {
    vmckpt = new Vmckpt(folder);
    // The first is the test's own; vmckpt finds the other.
    machine = Machine.boot(vmckpt, folder, "-qmp", "unix:" + watched() + ",server=on,wait=off");
  }

  @AfterEach
  void close() {
    machine.close();
  }

  private Path watched() {
    return folder.resolve("watched");
  }

  @Test
  void itIsStoppedForThePauseAndGoesOnInBothPlaces() throws Exception {
    try (Qmp watch = Qemu.monitor(watched())) {
      EventQueue events = watch.events().queue();
      Run run = vmckpt.ok("snapshot", "qmp:" + folder.resolve("machine.qmp"), "--name", "a");
      assertThat(run.err()).doesNotContain("monitor");
      assertThat(events.next(PATIENCE).name()).isEqualTo("STOP");
      assertThat(events.next(PATIENCE).name()).isEqualTo("RESUME");
      assertThat(marks(watch)).isEmpty();
    }
    machine.kill();
    machine.restore("a");
    try (Qmp there = machine.monitor()) {
      assertThat(Qemu.status(there)).isEqualTo("running");
      assertThat(marks(there)).isEmpty();
    }
  }

  /**
   * Told to stop, a QEMU that has done little yet writes out its disks in coroutines with new
   * stacks: its memory map is another one then.
   */
  @Test
  void anIdleGuestWithADiskIsNotStoppedAgainAndAgain() throws Exception {
    Path other = Files.createDirectory(folder.resolve("other"));
    Path disk = other.resolve("disk.qcow2");
    Commands.execute("qemu-img", "create", "-q", "-f", "qcow2", "" + disk, "1M");
    Path watched = other.resolve("watched");
    try (Machine idle =
            Machine.boot(
                vmckpt,
                other,
                "-drive",
                "if=virtio,format=qcow2,file=" + disk,
                "-qmp",
                "unix:" + watched + ",server=on,wait=off");
        Qmp watch = Qemu.monitor(watched)) {
      EventQueue events = watch.events().queue();
      vmckpt.ok("snapshot", "" + idle.pid(), "--name", "idle");
      int stops = 0;
      for (QmpEvent event = events.poll(); event != null; event = events.poll()) {
        stops += event.name().equals("STOP") ? 1 : 0;
      }
      // Once, and once more at most for what the firmware may still have been doing.
      assertThat(stops).isBetween(1, 2);
    }
  }

  @Test
  void whatWasStoppedStaysSo() throws Exception {
    try (Qmp watch = Qemu.monitor(watched())) {
      watch.execute("stop");
      EventQueue events = watch.events().queue();
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
      assertThat(Qemu.status(watch)).isEqualTo("paused");
      assertThat(events.poll()).isNull();
    }
    machine.kill();
    machine.restore("a");
    try (Qmp there = machine.monitor()) {
      assertThat(Qemu.status(there)).isEqualTo("paused");
    }
  }

  @Test
  void aMonitorThatIsHeldIsNotWaitedFor() throws Exception {
    try (Qmp watch = Qemu.monitor(watched());
        Qmp held = machine.monitor()) {
      EventQueue events = watch.events().queue();
      Run run = vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
      assertThat(run.err()).contains("not stopped by its monitor", "somebody else holds");
      assertThat(events.poll()).isNull();
      assertThat(held.isOpen()).isTrue();
    }
  }

  @Test
  void withoutIsAWish() throws Exception {
    try (Qmp watch = Qemu.monitor(watched())) {
      EventQueue events = watch.events().queue();
      Run run = vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a", "--qmp", "none");
      assertThat(run.err()).doesNotContain("monitor");
      assertThat(events.poll()).isNull();
    }
    Run nobody = vmckpt.fails(4, "snapshot", "qmp:" + folder.resolve("nobody"));
    assertThat(nobody.err()).contains("nobody listens");
  }

  @Test
  void killedWhileItIsStopped() throws Exception {
    Vmckpt marked = vmckpt.marked();
    for (int i = 0; i < 3; i++) {
      try (Qmp watch = Qemu.monitor(watched())) {
        Events events = watch.events();
        Pending<QmpEvent> stopped = events.expect("STOP");
        Pending<QmpEvent> resumed = events.expect("RESUME");
        Process run =
            marked.start(
                folder.resolve("out"), folder.resolve("err"), "snapshot", "" + machine.pid());
        stopped.get(PATIENCE);
        run.destroyForcibly().waitFor();
        resumed.get(PATIENCE);
        assertThat(Qemu.status(watch)).isEqualTo("running");
        Health.await("the mark is gone", () -> marks(watch).isEmpty());
      }
      marked.awaitNoLeftovers();
      Health.awaitUntouched(machine.pid());
    }
    // The monitor is free again.
    assertThat(vmckpt.ok("snapshot", "" + machine.pid()).err()).doesNotContain("monitor");
  }

  @Test
  void whatADeadOneHasLeftIsUndoneByTheNext() throws Exception {
    try (Qmp watch = Qemu.monitor(watched())) {
      // As it is when the guard was killed too.
      watch.execute(
          "object-add",
          args -> args.put("qom-type", "secret").put("id", "vmckpt-1-1-0s").put("data", ""));
      watch.execute("stop");
      Run run = vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
      assertThat(run.err()).contains("a vmckpt that died");
      assertThat(Qemu.status(watch)).isEqualTo("running");
      assertThat(marks(watch)).isEmpty();
    }
  }

  private boolean goesOn() {
    try {
      return Qemu.status(watched()).equals("running");
    } catch (QmpException e) {
      return false;
    }
  }

  @Test
  void killedWhileItIsRestored() throws Exception {
    vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
    machine.kill();
    Vmckpt marked = vmckpt.marked();
    long begun = System.nanoTime();
    machine.restore("a");
    long whole = System.nanoTime() - begun;
    for (int i = 0; i < 4; i++) {
      machine.kill();
      Process run = marked.start(folder.resolve("out"), folder.resolve("err"), "restore", "a");
      Thread.sleep(whole / 1_000_000 * (7 + i) / 10);
      run.destroyForcibly().waitFor();
      int pid = machine.pid();
      // A husk ends with its builder, a moment later.
      Health.await("it goes on, or is gone", () -> !Detached.alive(pid) || goesOn());
      if (Detached.alive(pid)) {
        Health.awaitUntouched(pid);
      }
      marked.awaitNoLeftovers();
      machine.restoreIfGone("a");
    }
  }

  @Test
  void itsClockDoesNotJump() throws Exception {
    machine.close();
    Path other = Files.createDirectory(folder.resolve("linux"));
    Path serial = other.resolve("serial");
    List<String> options = new ArrayList<>(Machine.linux(serial));
    options.addAll(List.of("-netdev", "user,id=n"));
    machine = Machine.boot(vmckpt, other, options.toArray(new String[0]));
    Beats beats = Beats.linux(serial);
    beats.awaitMore(machine.pid(), 3);
    vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
    double atMost = uptime(serial) + 0.1;
    machine.kill();
    Thread.sleep(6_000);
    long mark = beats.mark();
    machine.restore("a");
    beats.await(machine.pid(), mark, 2);
    String first = new LogFile(serial).linesFrom(mark, "tick ").get(0);
    assertThat(number(first)).isLessThan(atMost + 3);
    // A day later, by the clocks that can be set.
    machine.kill();
    mark = beats.mark();
    String[] tomorrow = {"unshare", "-T", "--monotonic", "86400", "--boottime", "86400"};
    machine.is(vmckpt.by(List.of(tomorrow)).ok("restore", "a", "--json").number("pid"));
    beats.await(machine.pid(), mark, 2);
    assertThat(number(new LogFile(serial).linesFrom(mark, "tick ").get(0))).isLessThan(atMost + 3);
  }

  @Test
  void whoeverLetsItGoOnMeanwhileSpoilsTheSnapshot() throws Exception {
    try (Qmp watch = Qemu.monitor(watched())) {
      AtomicInteger left = new AtomicInteger(1);
      watch
          .events()
          .listen(
              event -> {
                if (event.name().equals("STOP") && left.getAndDecrement() > 0) {
                  watch.submit("cont");
                }
              });
      Run run = vmckpt.run("snapshot", "" + machine.pid(), "--name", "a");
      assertThat(run.code()).isNotZero();
      assertThat(run.err()).contains("somebody else let the guest go on");
      assertThat(Qemu.status(watch)).isEqualTo("running");
    }
  }

  private static double uptime(Path serial) throws IOException {
    List<String> lines = new LogFile(serial).linesFrom(0, "tick ");
    return number(lines.get(lines.size() - 1));
  }

  private static double number(String line) {
    return Double.parseDouble(line.replaceAll(".*uptime ([0-9.]+).*", "$1"));
  }

  /** What a vmckpt that stopped the guest has left to say so. */
  static List<String> marks(Qmp qmp) {
    List<String> marks = new ArrayList<>();
    qmp.execute("qom-list", args -> args.put("path", "/objects"))
        .forEach(
            each -> {
              if (each.path("name").asText().startsWith("vmckpt")) {
                marks.add(each.path("name").asText());
              }
            });
    return marks;
  }
}
