// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
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
  /** What the guest says whenever it has used its TPM. */
  static final Pattern WORK = Pattern.compile("tpm \\d");

  private static final Pattern CONTROL = Pattern.compile("(fd:\\d+) control channel");

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private GuestConsole console = new GuestConsole(folder);

  @BeforeEach
  void here() {
    vmckpt = new Vmckpt(folder);
    console = new GuestConsole(folder.resolve("serial"));
  }

  @Test
  void isFoundAgainInAnotherSwtpm() throws Exception {
    try (Peer first = Peer.swtpm(folder, socket(folder), "--tpm2");
        Machine machine = boot(vmckpt, folder)) {
      awaitWork(5);
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "base");
      // The original and its TPM go on together.
      Health.awaitUntouched(machine.pid());
      awaitWork(20);
      machine.kill();
      Commands.execute("kill", "-KILL", "" + first.pid());
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
      try (Peer older = Peer.swtpm(folder, other)) {
        assertThat(vmckpt.fails(3, "restore", "base", "--reattach", channel + "=" + other).err())
            .contains("is a TPM 1.2, and the saved one was a TPM 2.0");
        assertThat(older.alive()).isTrue();
      }
      Files.deleteIfExists(other);
      try (Peer second = Peer.swtpm(folder, other, "--tpm2")) {
        machine.restore("base", "--reattach", channel + "=" + other);
        awaitWork(10);
        // It serves one machine.
        assertThat(vmckpt.fails(3, "restore", "base", "--reattach", channel + "=" + other).err())
            .contains("has another client");
        awaitWork(3);
        // Beside it, in a pid namespace: with its end nobody holds its swtpm any more.
        Path third = folder.resolve("third");
        try (Peer clones = Peer.swtpm(folder, third, "--tpm2")) {
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
    try (Peer swtpm = Peer.swtpm(folder, socket(folder), "--tpm2", "--flags", "not-need-init");
        Machine machine = boot(vmckpt, folder)) {
      awaitWork(3);
      // First the guest: its driver waits less than a second of the guest's time for its TPM, and
      // on a busy machine a monitor may answer later than that.
      tell(machine, "stop");
      Commands.execute("kill", "-STOP", "" + swtpm.pid());
      try {
        assertThat(vmckpt.fails(3, "snapshot", "" + machine.pid()).err())
            .contains("swtpm (process " + swtpm.pid() + ")", "does not run");
      } finally {
        Commands.execute("kill", "-CONT", "" + swtpm.pid());
      }
      tell(machine, "cont");
      awaitWork(3);
      assertThat(vmckpt.fails(3, "snapshot", "" + machine.pid(), "--drop", control(machine)).err())
          .contains("leave both out, or none");
      awaitWork(3);
      machine.saveAndKill("busy", "--qmp", "none");
      machine.restore("busy");
      awaitWork(10);
    }
  }

  private static void tell(Machine machine, String command) throws Exception {
    try (Qmp monitor = machine.monitor()) {
      monitor.execute(command);
    }
  }

  private String control(Machine machine) throws Exception {
    Matcher found =
        Pattern.compile("(fd:\\d+) +carried +tpm .*control channel")
            .matcher(vmckpt.ok("inspect", "" + machine.pid()).out());
    assertThat(found.find()).isTrue();
    return found.group(1);
  }

  /** Where the swtpm of a machine listens. */
  static Path socket(Path folder) {
    return folder.resolve("swtpm");
  }

  /** A machine that uses its TPM. */
  static Machine boot(Vmckpt vmckpt, Path folder) {
    List<String> options = new ArrayList<>(Machine.linux(folder.resolve("serial"), "vmckpt.tpm=1"));
    options.addAll(
        List.of(
            "-netdev",
            "user,id=n",
            "-chardev",
            "socket,id=swtpm,path=" + socket(folder),
            "-tpmdev",
            "emulator,id=tpm,chardev=swtpm",
            "-device",
            "tpm-tis,tpmdev=tpm"));
    return Machine.boot(vmckpt, folder, options.toArray(new String[0]));
  }

  /** Waits until the guest has used its TPM so many times more, and never found it wrong. */
  private void awaitWork(int times) {
    console.awaitMore(WORK, times);
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
