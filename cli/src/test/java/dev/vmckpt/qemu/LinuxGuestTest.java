// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.images.Detached;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpClosedException;
import dev.vmckpt.qmp.QmpProtocolException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * The guest of the main job: two emulated cpus, 512 MiB of memory under test, a disk, a network, a
 * monitor, a screen, and QEMU's own sandbox. It is booted and saved once; each test begins with a
 * restore of that snapshot.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LinuxGuestTest {
  @TempDir static Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(Path.of("/nonexistent"));
  private Qemu guest = Qemu.NONE;

  @BeforeAll
  void bootAndSave() throws Exception {
    vmckpt = new Vmckpt(folder);
    guest =
        Qemu.linux(
            folder, 1024, "-sandbox", "on,spawn=deny", "-vnc", "unix:" + folder.resolve("vnc"));
    guest.awaitMore(3);
    Run saved = vmckpt.ok("snapshot", "" + guest.pid(), "--name", "base", "--json");
    assertThat(saved.text("capture")).isEqualTo("fork");
    Health.awaitUntouched(guest.pid());
    guest.awaitMore(20);
    guest.kill();
  }

  @AfterEach
  void end() throws IOException {
    guest.close();
  }

  @AfterAll
  void endAtLast() throws IOException {
    guest.close();
  }

  private Run restore(String name, String... more) throws Exception {
    String[] words = new String[3 + more.length];
    words[0] = "restore";
    words[1] = name;
    words[2] = "--json";
    System.arraycopy(more, 0, words, 3, more.length);
    long mark = guest.beats().mark();
    Run run = vmckpt.ok(words);
    guest.is(run.number("pid"));
    guest.beats().await(guest.pid(), mark, 10);
    Health.awaitUntouched(guest.pid());
    return run;
  }

  @Test
  void threeGenerations() throws Exception {
    restore("base");
    for (String name : List.of("second", "third")) {
      vmckpt.ok("snapshot", "" + guest.pid(), "--name", name);
      guest.awaitMore(10);
      guest.kill();
      restore(name);
    }
    // More than the disk holds at a time, and more than once around the memory.
    guest.awaitMore(50);
    guest.kill();
    restore("base");
    for (String name : List.of("base", "second", "third")) {
      vmckpt.ok("verify", name);
    }
  }

  @Test
  void tenRestoresOneAfterAnother() throws Exception {
    for (int i = 0; i < 10; i++) {
      Run run = restore("base");
      assertThat(run.object().get("lazy")).isEqualTo(true);
      guest.kill();
    }
    vmckpt.ok("verify", "base");
  }

  @Test
  @Tag("long")
  void anEagerRestoreNeedsNoSnapshotAnyMore() throws Exception {
    restore("base", "--eager");
    vmckpt.ok("snapshot", "" + guest.pid(), "--name", "stopped", "--capture", "stop");
    guest.awaitMore(10);
    guest.kill();
    restore("stopped", "--eager");
    vmckpt.ok("rm", "stopped");
    guest.awaitMore(10);
  }

  @Test
  void monitorAndScreenAnswerAtTheirOldPaths() throws Exception {
    restore("base");
    assertThat(Qemu.status(folder.resolve("qmp"))).isEqualTo("running");
    // The screen greets too, as no monitor does, and is quoted.
    assertThatThrownBy(() -> Qemu.monitor(folder.resolve("vnc")))
        .isInstanceOf(QmpProtocolException.class)
        .hasMessageContaining("RFB 003");
    try (Qmp monitor = Qemu.monitor(folder.resolve("qmp"))) {
      monitor.execute("stop");
      assertThat(Qemu.status(monitor)).isEqualTo("paused");
      monitor.execute("cont");
    }
    guest.awaitMore(10);
  }

  @Test
  void aCloneBesideTheOriginal() throws Exception {
    restore("base");
    int original = guest.pid();
    Run refused = vmckpt.fails(3, "restore", "base");
    assertThat(refused.err()).contains("fd:", folder.resolve("qmp").toString(), "--reattach");
    assertThat(guest.pid()).isEqualTo(original);
    guest.awaitMore(3);

    Path place = Files.createDirectory(folder.resolve("clone"));
    Run run =
        vmckpt.ok(
            "restore",
            "base",
            "--json",
            "--reattach",
            guest.descriptor(vmckpt, "qmp") + "=" + place.resolve("qmp"),
            "--reattach",
            guest.descriptor(vmckpt, "vnc") + "=" + place.resolve("vnc"),
            "--reattach",
            guest.descriptor(vmckpt, "serial") + "=" + place.resolve("serial"),
            "--reattach",
            guest.descriptor(vmckpt, "127.0.0.1:") + "=" + freePort());
    int clone = run.number("pid");
    assertThat(clone).isNotEqualTo(original);
    assertThat(run.number("innerPid")).isEqualTo(original);
    assertThat(run.text("notes")).contains("pid namespace");
    try {
      Beats beats = Beats.linux(place.resolve("serial"));
      beats.await(clone, 0, 20);
      guest.awaitMore(20);
      assertThat(Qemu.status(place.resolve("qmp"))).isEqualTo("running");
      assertThat(Qemu.status(folder.resolve("qmp"))).isEqualTo("running");
      // A process in a pid namespace of its own is saved and restored like any other.
      vmckpt.ok("snapshot", "" + clone, "--name", "clone");
      beats.awaitMore(clone, 5);
      Detached.kill(clone);
      Run again = vmckpt.ok("restore", "clone", "--json");
      clone = again.number("pid");
      beats.awaitMore(clone, 10);
      guest.awaitMore(3);
    } finally {
      Detached.kill(clone);
    }
  }

  @Test
  void aClientThatIsConnectedIsNamedAndMayComeAgain() throws Exception {
    restore("base");
    try (Qmp client = Qemu.monitor(folder.resolve("qmp"))) {
      Run saved = vmckpt.ok("snapshot", "" + guest.pid(), "--name", "talking", "--json");
      // To the original nothing has happened.
      assertThat(Qemu.status(client)).isEqualTo("running");
      guest.kill();
      assertThat(client.ended().get(20, TimeUnit.SECONDS)).isInstanceOf(QmpClosedException.class);
      Run restored = restore("talking");
      assertThat(saved.text("notes") + restored.text("notes")).containsIgnoringCase("hung up");
      assertThat(restored.text("notes")).contains("fd:");
    }
    assertThat(Qemu.status(folder.resolve("qmp"))).isEqualTo("running");
  }

  @Test
  void aScreenOnAPort() throws Exception {
    Path place = Files.createDirectory(folder.resolve("port"));
    int port = freePort();
    try (Qemu small = Qemu.linux(place, 256, "-vnc", "127.0.0.1:" + (port - 5900))) {
      small.awaitMore(3);
      vmckpt.ok("snapshot", "" + small.pid(), "--name", "port");
      try (Socket screen = new Socket(InetAddress.getLoopbackAddress(), port)) {
        assertThat(screen.getInputStream().read()).isEqualTo('R');
      }
      small.kill();
      try (ServerSocket taken = listen(port)) {
        Run refused = vmckpt.fails(3, "restore", "port");
        assertThat(refused.err()).contains("" + taken.getLocalPort(), "--reattach");
      }
      small.is(vmckpt.ok("restore", "port", "--json").number("pid"));
      small.awaitMore(10);
      try (Socket screen = new Socket(InetAddress.getLoopbackAddress(), port)) {
        assertThat(screen.getInputStream().read()).isEqualTo('R');
      }
    }
  }

  /** A process that is being ended keeps its port for a moment. */
  private static ServerSocket listen(int port) throws IOException {
    List<ServerSocket> bound = new ArrayList<>();
    Health.await(
        "port " + port,
        () -> {
          try {
            bound.add(new ServerSocket(port, 1, InetAddress.getLoopbackAddress()));
          } catch (BindException taken) {
            return false;
          }
          return true;
        });
    return bound.get(0);
  }

  private static int freePort() throws IOException {
    for (int port = 5901; port < 6900; port++) {
      try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        return free.getLocalPort();
      } catch (IOException taken) {
        // The next one.
      }
    }
    throw new IOException("no free port");
  }
}
