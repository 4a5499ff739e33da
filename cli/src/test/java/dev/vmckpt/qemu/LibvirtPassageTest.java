// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.EventQueue;
import dev.vmckpt.qmp.Events;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpEvent;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The guest of a domain is stopped and let go on by libvirt, which holds its monitor: here, where
 * it is restored, and if vmckpt is killed in between. The test looks on by a monitor of its own.
 */
class LibvirtPassageTest {
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  @TempDir Path folder = Path.of("/nonexistent");
  private @org.jspecify.annotations.Nullable LibvirtHost made;
  private Path watched = folder;
  private int pid;

  @BeforeEach
  void boot() throws Exception {
    made = new LibvirtHost(LibvirtHost.Kind.SESSION, folder);
    watched = host().writable("q").resolve("watched");
    pid =
        host()
            .firmware(
                "fw",
                "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:"
                    + watched
                    + ",server=on,wait=off'/></qemu:commandline>");
  }

  @AfterEach
  void close() throws Exception {
    if (made != null) {
      made.close();
    }
  }

  private LibvirtHost host() {
    return java.util.Objects.requireNonNull(made);
  }

  private Vmckpt vmckpt() {
    return host().vmckpt();
  }

  private String target() {
    return host().target("fw");
  }

  @Test
  void itIsStoppedForThePauseAndGoesOnInBothPlaces() throws Exception {
    try (Qmp watch = Qemu.monitor(watched)) {
      EventQueue events = watch.events().queue();
      Run run = vmckpt().ok("snapshot", target(), "--name", "a");
      assertThat(run.err()).doesNotContain("monitor");
      assertThat(events.next(PATIENCE).name()).isEqualTo("STOP");
      assertThat(events.next(PATIENCE).name()).isEqualTo("RESUME");
      assertThat(CleanInstantTest.marks(watch)).isEmpty();
    }
    // One that somebody has paused stays so, here and there.
    host().virsh("suspend", "fw");
    try (Qmp watch = Qemu.monitor(watched)) {
      EventQueue events = watch.events().queue();
      vmckpt().ok("snapshot", target(), "--name", "paused");
      assertThat(events.poll()).isNull();
    }
    Detached.kill(pid);
    vmckpt().ok("restore", "a");
    try (Qmp there = Qemu.monitor(watched)) {
      assertThat(Qemu.status(there)).isEqualTo("running");
      assertThat(CleanInstantTest.marks(there)).isEmpty();
    }
    Detached.kill(pid);
    vmckpt().ok("restore", "paused", "--reattach", "libvirt=adopt");
    assertThat(Qemu.status(watched)).isEqualTo("paused");
    assertThat(host().virsh("domstate", "fw")).isEqualTo("paused");
  }

  @Test
  void killedWhileItIsStopped() throws Exception {
    Vmckpt marked = vmckpt().marked();
    for (int i = 0; i < 3; i++) {
      try (Qmp watch = Qemu.monitor(watched)) {
        Events events = watch.events();
        Pending<QmpEvent> stopped = events.expect("STOP");
        Pending<QmpEvent> resumed = events.expect("RESUME");
        Process run =
            marked.start(folder.resolve("out"), folder.resolve("err"), "snapshot", target());
        stopped.get(PATIENCE);
        run.destroyForcibly().waitFor();
        resumed.get(PATIENCE);
        Health.await("it runs", () -> Qemu.status(watch).equals("running"));
        Health.await("the mark is gone", () -> CleanInstantTest.marks(watch).isEmpty());
        assertThat(host().virsh("domstate", "fw")).isEqualTo("running");
      }
      marked.awaitNoLeftovers();
      Health.awaitUntouched(pid);
    }
    try (Qmp watch = Qemu.monitor(watched)) {
      // As it is when the guard was killed too.
      watch.execute(
          "object-add",
          args -> args.put("qom-type", "secret").put("id", "vmckpt-1-1-0s").put("data", ""));
      watch.execute("stop");
      Run next = vmckpt().ok("snapshot", target(), "--name", "next");
      assertThat(next.err()).contains("a vmckpt that died");
      assertThat(Qemu.status(watch)).isEqualTo("running");
      assertThat(CleanInstantTest.marks(watch)).isEmpty();
    }
  }

  @Test
  void whoeverLetsItGoOnMeanwhileSpoilsTheSnapshot() throws Exception {
    try (Qmp watch = Qemu.monitor(watched)) {
      AtomicInteger left = new AtomicInteger();
      watch
          .events()
          .listen(
              event -> {
                if (event.name().equals("STOP") && left.getAndDecrement() > 0) {
                  watch.submit("cont");
                }
              });
      Run run;
      int attempts = 0;
      do {
        // On a busy machine the word may come when the pause is over.
        assertThat(++attempts).isLessThan(20);
        left.set(1);
        run = vmckpt().run("snapshot", target());
      } while (run.code() == 0);
      assertThat(run.err()).contains("somebody else let the guest go on");
      Health.await("it runs", () -> Qemu.status(watch).equals("running"));
    }
  }

  @Test
  void whatCannotBeDoneIsSaid() throws Exception {
    Vmckpt vmckpt = vmckpt();
    assertThat(vmckpt.fails(4, "inspect", host().target("nobody")).err())
        .contains("libvirt has no domain nobody");
    assertThat(vmckpt.fails(4, "inspect", "libvirt:qemu+unix:///session?socket=/none#fw").err())
        .contains("no libvirt daemon answers at", "/none");
    assertThat(vmckpt.fails(2, "inspect", "libvirt:test:///default#test").err())
        .contains("none of a QEMU on this host");
    assertThat(vmckpt.fails(2, "inspect", "libvirt:").err()).contains("names no domain");
    String hide =
        "for l in /usr/lib/x86_64-linux-gnu/libvirt.so.0; do mount --bind /dev/null $l || exit 99;"
            + " done; exec \"$@\"";
    Vmckpt without = vmckpt.by(List.of("unshare", "-m", "sh", "-c", hide, "sh"));
    assertThat(without.fails(1, "inspect", target()).err())
        .contains("library is not installed", "libvirt0");
    // Nobody could let the guest go on: it is not stopped.
    Vmckpt lonely = vmckpt.by(List.of("env", "PATH=/nonexistent"));
    try (Qmp watch = Qemu.monitor(watched)) {
      EventQueue events = watch.events().queue();
      assertThat(lonely.ok("snapshot", target(), "--name", "a").err())
          .contains("virsh is not installed");
      assertThat(events.poll()).isNull();
    }
    assertThat(vmckpt.fails(2, "restore", "a", "--reattach", "libvirt=no").err())
        .contains("there is libvirt=adopt");
    vmckpt.ok("snapshot", "" + pid, "--name", "process");
    Detached.kill(pid);
    assertThat(vmckpt.fails(3, "restore", "process", "--reattach", "libvirt=adopt").err())
        .contains("none of a domain");
  }
}
