// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * A guest with a TPM that swtpm serves. It extends a register again and again, and knows what that
 * must hold by now: any TPM but one that went on where the guest did is an error it tells.
 */
@Execution(ExecutionMode.CONCURRENT)
class TpmTest {
  private static final Pattern CONTROL = Pattern.compile("(fd:\\d+) control channel");

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private int words;

  @BeforeEach
  void here() {
    vmckpt = new Vmckpt(folder);
  }

  @Test
  void isFoundAgainInAnotherSwtpm() throws Exception {
    try (Peer first = swtpm(socket(), "--tpm2");
        Machine machine = boot()) {
      awaitWork(5);
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "base");
      // The original and its TPM go on together.
      Health.awaitUntouched(machine.pid());
      awaitWork(20);
      machine.kill();
      Peer.run("kill", "-KILL", "" + first.pid());
      first.awaitEnd();

      Run nobody = vmckpt.fails(3, "restore", "base");
      assertThat(nobody.err()).contains("no swtpm listens there", "swtpm socket --tpm2");
      Matcher control = CONTROL.matcher(nobody.err());
      assertThat(control.find()).isTrue();
      String channel = control.group(1);
      Path other = folder.resolve("other");
      try (Peer stranger = new Peer(folder, "socat", "UNIX-LISTEN:" + other + ",fork", "PIPE")) {
        stranger.awaitSocket(other);
        assertThat(vmckpt.fails(3, "restore", "base", "--reattach", channel + "=" + other).err())
            .contains("does not answer as swtpm does");
      }
      Files.deleteIfExists(other);
      try (Peer older = swtpm(other)) {
        assertThat(vmckpt.fails(3, "restore", "base", "--reattach", channel + "=" + other).err())
            .contains("is a TPM 1.2, and the saved one was a TPM 2.0");
        assertThat(older.alive()).isTrue();
      }
      Files.deleteIfExists(other);
      try (Peer second = swtpm(other, "--tpm2")) {
        machine.restore("base", "--reattach", channel + "=" + other);
        awaitWork(10);
        // It serves one machine.
        assertThat(vmckpt.fails(3, "restore", "base", "--reattach", channel + "=" + other).err())
            .contains("has another client");
        awaitWork(3);
        // Beside it, in a pid namespace: with its end nobody holds its swtpm any more.
        Path third = folder.resolve("third");
        try (Peer clones = swtpm(third, "--tpm2")) {
          String there = channel + "=" + third;
          Run taken = vmckpt.fails(3, "restore", "base", "--reattach", there);
          String monitor = Machine.movable(taken) + "=" + folder.resolve("clone.qmp");
          for (int i = 0; i < 2; i++) {
            Run clone =
                vmckpt.ok("restore", "base", "--json", "--reattach", there, "--reattach", monitor);
            awaitWork(10);
            assertThat(clones.alive()).isTrue();
            Detached.kill(clone.number("pid"));
          }
        }
        // A snapshot of the restored one.
        machine.saveAndKill("again");
        assertThat(second.alive()).isTrue();
        machine.restore("again");
        awaitWork(10);
      }
      noneMayRead(vmckpt.store());
    }
  }

  @Test
  void isSavedInTheMiddleOfItsWorkWithoutAMonitor() throws Exception {
    try (Peer swtpm = swtpm(socket(), "--tpm2", "--flags", "not-need-init");
        Machine machine = boot()) {
      awaitWork(3);
      Peer.run("kill", "-STOP", "" + swtpm.pid());
      try {
        assertThat(vmckpt.fails(3, "snapshot", "" + machine.pid()).err())
            .contains("swtpm (process " + swtpm.pid() + ")", "does not run");
      } finally {
        Peer.run("kill", "-CONT", "" + swtpm.pid());
      }
      awaitWork(3);
      assertThat(vmckpt.fails(3, "snapshot", "" + machine.pid(), "--drop", control(machine)).err())
          .contains("leave both out, or none");
      awaitWork(3);
      machine.saveAndKill("busy", "--qmp", "none");
      machine.restore("busy");
      awaitWork(10);
    }
  }

  @Test
  @Tag("long")
  void isNotHarmedByASnapshotThatDies() throws Exception {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime() & 0xffffff);
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    try (Peer swtpm = swtpm(socket(), "--tpm2");
        Machine machine = boot()) {
      awaitWork(3);
      for (int i = 0; i < 20; i++) {
        vmckpt.killedAfter(1500 + random.nextInt(1500), "snapshot", "" + machine.pid());
        Health.awaitUntouched(machine.pid());
        awaitWork(3);
      }
      assertThat(swtpm.alive()).isTrue();
      machine.saveAndKill("after");
      machine.restore("after");
      awaitWork(3);
    }
  }

  private String control(Machine machine) throws Exception {
    Matcher found =
        Pattern.compile("(fd:\\d+) +carried +tpm .*control channel")
            .matcher(vmckpt.ok("inspect", "" + machine.pid()).out());
    assertThat(found.find()).isTrue();
    return found.group(1);
  }

  private Path socket() {
    return folder.resolve("swtpm");
  }

  /** One with an empty state, which listens at a path. */
  private Peer swtpm(Path socket, String... options) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                "swtpm",
                "socket",
                "--tpmstate",
                "dir=" + Files.createTempDirectory(folder, "state"),
                "--ctrl",
                "type=unixio,path=" + socket));
    command.addAll(List.of(options));
    Peer swtpm = new Peer(folder, command);
    swtpm.awaitSocket(socket);
    return swtpm;
  }

  private Machine boot() {
    List<String> options = new ArrayList<>(Machine.linux(serial(), "vmckpt.tpm=1"));
    options.addAll(
        List.of(
            "-netdev",
            "user,id=n",
            "-chardev",
            "socket,id=swtpm,path=" + socket(),
            "-tpmdev",
            "emulator,id=tpm,chardev=swtpm",
            "-device",
            "tpm-tis,tpmdev=tpm"));
    return Machine.boot(vmckpt, folder, options.toArray(new String[0]));
  }

  private Path serial() {
    return folder.resolve("serial");
  }

  /** Waits until the guest has used its TPM so many times more, and never found it wrong. */
  private void awaitWork(int times) {
    words = count();
    Health.await("the guest's use of its TPM", () -> count() >= words + times);
  }

  private int count() {
    try {
      String said =
          Files.exists(serial()) ? Files.readString(serial(), StandardCharsets.ISO_8859_1) : "";
      assertThat(said).doesNotContain("error:");
      return said.split("tpm \\d", -1).length - 1;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** All of the TPM in a store. */
  private static void noneMayRead(Path store) throws IOException {
    try (Stream<Path> all = Files.walk(store)) {
      List<Path> states =
          all.filter(Files::isRegularFile)
              .filter(each -> each.toString().contains("/tpm/"))
              .toList();
      assertThat(states).isNotEmpty();
      for (Path state : states) {
        assertThat(Files.getPosixFilePermissions(state))
            .isEqualTo(PosixFilePermissions.fromString("rw-------"));
      }
    }
  }
}
