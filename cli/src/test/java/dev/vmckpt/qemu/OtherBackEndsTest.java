// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.SelfcheckDisk;
import dev.vmckpt.images.SelfcheckMachine;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Another QEMU has its serial line and its disk elsewhere. */
@Execution(ExecutionMode.CONCURRENT)
class OtherBackEndsTest {
  private static final Pattern PASS = Pattern.compile("pass (\\d+) errors 0 ");

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private Machine machine = Machine.none(vmckpt);

  /** How many the guest had told of before it was saved. */
  private long passes;

  @BeforeEach
  void begin() {
    vmckpt = new Vmckpt(folder);
    machine = Machine.none(vmckpt);
  }

  @AfterEach
  void end() {
    machine.close();
  }

  private Path disk() {
    return SelfcheckMachine.diskIn(folder);
  }

  private Path serial() {
    return folder.resolve("serial");
  }

  /**
   * The self-check guest, whose serial line is a character device, saved and ended.
   *
   * @param format what is said of its disk, which is a raw one
   */
  private void bootAndSave(String format) throws Exception {
    SelfcheckMachine.kvm().checking(16).resting(3).makeDisk(folder);
    machine =
        Machine.boot(
            vmckpt,
            folder,
            "-m",
            "128",
            "-drive",
            "file=" + disk() + format + ",if=virtio",
            "-chardev",
            "file,id=line,path=" + serial(),
            "-serial",
            "chardev:line");
    Beats.selfcheck(serial()).await(machine.pid(), 0, 3);
    // The guest goes on after the instant of the snapshot, until it is ended.
    passes = lastPass(Files.readString(serial()));
    vmckpt.ok("snapshot", "" + machine.pid(), "--name", "m", "--machine", "--kill");
  }

  private Run restore(String... reattach) throws Exception {
    return machine.restore("m", words(List.of("--on", "qemu"), reattach));
  }

  private static String[] words(List<String> first, String... reattach) {
    List<String> words = new ArrayList<>(first);
    for (String each : reattach) {
      words.addAll(List.of("--reattach", each));
    }
    return words.toArray(new String[0]);
  }

  /** Asks for another QEMU and is refused; nothing was started. */
  private String refused(String... reattach) throws Exception {
    List<Integer> before = vmckpt.leftovers();
    Run run = vmckpt.fails(3, words(List.of("restore", "m", "--on", "qemu"), reattach));
    assertThat(vmckpt.leftovers()).isEqualTo(before);
    return run.err();
  }

  /** The copy of the disk that the snapshot keeps. */
  private Path kept() throws IOException {
    try (var files = Files.walk(vmckpt.store())) {
      return files.filter(each -> each.endsWith("disks/0-selfcheck.img")).findAny().orElseThrow();
    }
  }

  /** The number of the first whole pass that a log tells of. */
  private static long firstPass(String said) {
    Matcher matcher = PASS.matcher(said);
    assertThat(matcher.find()).as(said).isTrue();
    return Long.parseLong(matcher.group(1));
  }

  private static long lastPass(String said) {
    int last = said.lastIndexOf("pass ", said.lastIndexOf('\n'));
    return firstPass(said.substring(last));
  }

  @Test
  void theLineAndTheDiskGoElsewhere() throws Exception {
    bootAndSave(",format=raw");
    String before = Files.readString(serial());
    byte[] original = Files.readAllBytes(disk());
    byte[] saved = Files.readAllBytes(kept());
    Path copy = Files.copy(kept(), folder.resolve("copy"));
    Path packed = folder.resolve("packed");
    Commands.execute("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "" + copy, "" + packed);

    Path socket = folder.resolve("line");
    assertThat(refused("chardev:lime=null", "chardev:line=stdio"))
        .contains("chardev:lime: the machine has no", "it has line", "=stdio: the new QEMU has no");
    assertThat(refused("disk:" + disk() + "=/no/copy", "disk:/no=" + copy))
        .contains("=/no/copy: there is no such file", "disk:/no: the machine has no disk")
        .contains("it has " + disk());
    assertThat(refused("disk:" + disk() + "=" + kept())).contains("a snapshot needs it as it is");
    // Its command line says that the disk is a raw one.
    assertThat(refused("disk:" + disk() + "=" + packed)).contains("drive virtio0 of ");
    assertThat(copy).hasBinaryContent(saved);

    Path link = Files.createSymbolicLink(folder.resolve("link"), disk());
    restore("chardev:line=socket,server=on,path=" + socket, "disk:" + link + "=" + copy);
    try (Peer peer = new Peer(folder, "socat", "-u", "UNIX-CONNECT:" + socket, "-")) {
      peer.hear("pass ");
      String all = peer.hear(" errors 0 ") + peer.hear("pass ") + peer.hear(" errors 0 ");
      assertThat(firstPass("pass " + all)).isGreaterThan(passes);
      // There it would take the name from the one that listens.
      String taken = refused("chardev:line=socket,server=on,path=" + socket);
      assertThat(taken).contains("another process listens there");
    }
    machine.kill();
    SelfcheckDisk now = SelfcheckDisk.read(copy);
    assertThat(now.errors()).isEmpty();
    assertThat(now.written()).isGreaterThan(SelfcheckDisk.read(kept()).written());
    assertThat(kept()).hasBinaryContent(saved);
    assertThat(disk()).hasBinaryContent(original);
    assertThat(serial()).hasContent(before);
  }

  @Test
  void aDiskIsInAnotherFormatAndTheLineInAnotherFile() throws Exception {
    bootAndSave("");
    Path packed = folder.resolve("packed");
    Commands.execute("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "" + kept(), "" + packed);
    long written = SelfcheckDisk.read(kept()).written();
    Path elsewhere = folder.resolve("elsewhere");
    // The command line does not say of which format the disk is: QEMU looks.
    restore("chardev:line=file,path=" + elsewhere, "disk:" + disk() + "=" + packed);
    Beats.selfcheck(elsewhere).await(machine.pid(), 0, 5);
    machine.kill();
    assertThat(lastPass(Files.readString(elsewhere))).isGreaterThan(passes + 3);
    Path now = folder.resolve("now");
    Commands.execute("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "" + packed, "" + now);
    assertThat(SelfcheckDisk.read(now).errors()).isEmpty();
    assertThat(SelfcheckDisk.read(now).written()).isGreaterThan(written);
    vmckpt.ok("verify", "m");
  }

  @Test
  void disksThatTheCommandLineDoesNotTellOfAreNamed() throws Exception {
    Path base = Files.write(folder.resolve("base.img"), new byte[1 << 20]);
    Path medium = Files.write(folder.resolve("medium.iso"), new byte[1 << 16]);
    machine =
        Machine.boot(
            vmckpt,
            folder,
            "-drive",
            "file=" + base + ",format=raw,if=virtio",
            "-drive",
            "file=" + medium + ",format=raw,id=cd,media=cdrom,if=ide");
    try (Qmp qmp = machine.monitor()) {
      qmp.execute("eject", a -> a.put("device", "cd").put("force", true));
    }
    vmckpt.ok("snapshot", "" + machine.pid(), "--name", "ejected", "--machine");
    Path over = folder.resolve("over.qcow2");
    try (Qmp qmp = machine.monitor()) {
      qmp.execute(
          "blockdev-snapshot-sync",
          a -> a.put("device", "virtio0").put("snapshot-file", "" + over).put("format", "qcow2"));
    }
    machine.saveAndKill("m", "--machine");

    Run ejected = vmckpt.fails(3, "restore", "ejected", "--on", "qemu");
    assertThat(ejected.err()).contains("disk " + medium + ": only the new QEMU uses it");
    assertThat(refused()).contains("over.qcow2: the new QEMU does not use it");
    machine.restore("m");
  }
}
