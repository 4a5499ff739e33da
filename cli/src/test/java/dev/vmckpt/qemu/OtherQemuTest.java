// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Guest;
import dev.vmckpt.images.Images;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.SelfcheckDisk;
import dev.vmckpt.images.SelfcheckMachine;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** One snapshot of a process, and other QEMUs started from it, as a user does it. */
@Execution(ExecutionMode.CONCURRENT)
class OtherQemuTest {
  /** What both accelerators can show to a guest on this processor. */
  private static final String CPU = "qemu64,-svm,-sse3,-x2apic";

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private Moves moves = new Moves(vmckpt);

  @BeforeEach
  void begin() {
    vmckpt = new Vmckpt(folder);
    moves = new Moves(vmckpt);
  }

  @AfterEach
  void end() {
    moves.close();
    started().forEach(each -> Detached.kill((int) each.pid()));
  }

  private Path first() {
    return folder.resolve("first");
  }

  private void selfcheck(int cpus, String... more) {
    List<String> options = new ArrayList<>(List.of("-qmp", monitor()));
    options.addAll(List.of(more));
    if (!options.contains("-cpu")) {
      options.addAll(List.of("-cpu", CPU));
    }
    moves.is(
        SelfcheckMachine.kvm()
            .checking(16)
            .resting(3)
            .withDisk(SelfcheckMachine.Disk.VIRTIO)
            .withCpus(cpus)
            .with(options.toArray(new String[0]))
            .start(folder),
        Beats.selfcheck(folder.resolve("serial")));
  }

  private String monitor() {
    return "unix:" + first() + ",server=on,wait=off";
  }

  /** The guest goes from one to the next; each time the one before is ended by the snapshot. */
  private void moveOver(String... to) throws Exception {
    moves.awaitGood(3);
    Path disk = folder;
    for (int i = 0; i < to.length; i++) {
      String name = "s" + i;
      Run saved = moves.save(name, "--machine", "--kill");
      assertThat(saved.object().get("machine")).isEqualTo(true);
      Run moved = moves.restore(name, "--accel", to[i], "--without", "kvm");
      disk = Path.of(moved.text("monitor")).getParent();
      assertThat(moves.commandLine()).contains("-accel", to[i]);
      moves.awaitGood(10);
      vmckpt.ok("verify", name);
    }
    moves.close();
    try (var files = Files.list(disk)) {
      Path image = files.filter(each -> each.toString().endsWith(".img")).findAny().orElseThrow();
      assertThat(SelfcheckDisk.read(image).errors()).isEmpty();
    }
  }

  @Test
  void fromTcgToKvmAndBack() throws Exception {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    selfcheck(1, "-accel", "tcg");
    moveOver("kvm", "kvm", "tcg");
  }

  @Test
  void severalProcessorsAndAMemoryFileFromTcgToKvmAndBack() throws Exception {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    selfcheck(
        2,
        "-accel",
        "tcg",
        "-object",
        "memory-backend-memfd,id=ram,size=256M,share=on",
        "-machine",
        "pc,memory-backend=ram");
    moveOver("kvm", "tcg");
  }

  /** Without VMX and SVM, KVM lets its guests see the processor of the host, whatever QEMU says. */
  private static boolean kvmShowsTheHost() throws IOException {
    String flags = Files.readString(Path.of("/proc/cpuinfo"));
    return !flags.contains(" vmx ") && !flags.contains(" svm ") && flags.contains(" avx ");
  }

  @Test
  void aGuestThatUsesWhatQemuDoesNotKnowOfIsRefusedAndUnharmed() throws Exception {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    selfcheck(2, "-accel", "kvm");
    moves.awaitGood(3);
    if (kvmShowsTheHost()) {
      Run refused = vmckpt.fails(3, "snapshot", "" + moves.pid(), "--machine");
      assertThat(refused.err()).contains("does not save: xsave, extended", "leave out --machine");
      assertThat(vmckpt.ok("list", "--json").out()).doesNotContain("created");
      // Its vectors would be lost, had QEMU been asked for them.
      moves.awaitGood(10);
      moves.save("fast", "--kill");
      moves.bringBack("fast");
    } else {
      moves.save("k", "--machine", "--kill");
      moves.restore("k", "--accel", "tcg", "--without", "kvm");
    }
    moves.awaitGood(10);
  }

  @Test
  void oneSnapshotIsForBothRoadsAndTheOriginalGoesOn() throws Exception {
    selfcheck(1, "-accel", "tcg");
    moves.awaitGood(3);
    Run saved = moves.save("m", "--machine");
    moves.awaitGood(3);
    assertThat(Qemu.status(first())).isEqualTo("running");
    Path place = Path.of(saved.text("folder"));
    assertThat(Files.size(place.resolve("machine.state"))).isBetween(10_000L, 1_000_000L);
    assertThat(vmckpt.ok("show", "m").out()).contains("machine   pc-i440fx", "--on qemu");
    assertThat(vmckpt.ok("show", "m", "--json").out()).contains("\"accelerator\" : \"tcg\"");
    moves.end();

    moves.restore("m", "--accel", Kvm.isUsable() ? "kvm" : "tcg", "--without", "kvm");
    moves.awaitGood(5);
    moves.end();
    moves.bringBack("m");
    moves.awaitGood(5);
    moves.end();

    Files.write(place.resolve("machine.state"), new byte[] {1}, StandardOpenOption.WRITE);
    assertThat(vmckpt.fails(5, "restore", "m", "--on", "qemu").err()).contains("machine.state");
  }

  @Test
  void aLinuxGuestGetsAnotherProcessorOrIsRefused() throws Exception {
    Path disk = folder.resolve("linux.raw");
    Files.copy(Images.linuxDisk(), disk);
    moves.is(
        Guest.linux(
            folder,
            32,
            List.of(
                "-accel",
                "tcg",
                "-machine",
                "q35",
                "-cpu",
                "Nehalem",
                "-smp",
                "2",
                "-m",
                "256",
                "-drive",
                "file=" + disk + ",format=raw,if=virtio",
                "-netdev",
                "user,id=n0",
                "-device",
                "virtio-net-pci,netdev=n0",
                "-qmp",
                monitor())),
        Beats.linux(folder.resolve("serial")));
    moves.awaitGood(5);
    moves.save("linux", "--machine", "--kill");

    for (String lesser : List.of("core2duo", "Nehalem,-sse4.2", "qemu32")) {
      Run refused = moves.refused("linux", "--cpu", lesser);
      assertThat(refused.err()).contains("the guest has seen what");
    }
    assertThat(moves.refused("linux", "--cpu", "none-such").err()).contains("none-such");
    assertThat(moves.refused("linux", "--cpu", "host").err()).contains("only KVM has it");
    assertThat(moves.refused("linux", "--binary", "/no/qemu").err()).contains("/no/qemu");
    assertThat(moves.refused("linux", "--reattach", "netdev:x=user").err())
        .contains("no -netdev of that id", "it has n0");

    moves.restore(
        "linux", "--cpu", "max,vendor=GenuineIntel", "--reattach", "netdev:n0=hubport,hubid=0");
    assertThat(moves.commandLine()).contains("hubport,hubid=0,id=n0");
    moves.awaitGood(10);
    // A machine that was moved is a machine like any other.
    moves.save("again", "--machine", "--kill");
    moves.restore("again", "--binary", "qemu-system-x86_64");
    moves.awaitGood(5);
  }

  @Test
  void whatCannotBeIsSaidBeforeAnythingStarts() throws Exception {
    selfcheck(1, "-accel", "tcg");
    moves.awaitGood(1);
    int pid = moves.pid();
    moves.save("plain");
    assertThat(moves.refused("plain").err()).contains("taken without --machine");
    assertThat(usage("restore", "plain", "--on", "bochs")).contains("there is qemu");
    assertThat(usage("restore", "plain", "--accel", "kvm")).contains("go with --on qemu");
    assertThat(usage("restore", "plain", "--on", "qemu", "--accel", "xen"))
        .contains("there are tcg and kvm");
    assertThat(usage("restore", "plain", "--on", "qemu", "--eager")).contains("without");
    assertThat(usage("restore", "plain", "--on", "qemu", "--reattach", "fd:3=/x"))
        .contains("fd:3", "netdev:ID");
    assertThat(usage("snapshot", "" + pid, "--machine", "--qmp", "none")).contains("--machine");

    try (Qmp held = Qemu.monitor(first())) {
      Run refused = vmckpt.fails(3, "snapshot", "" + pid, "--machine");
      assertThat(refused.err()).contains("somebody else holds", "leave out --machine");
      assertThat(held.isOpen()).isTrue();
    }
    moves.awaitGood(2);
    assertThat(Qemu.status(first())).isEqualTo("running");
  }

  private String usage(String... words) throws Exception {
    return vmckpt.fails(2, words).err();
  }

  @Test
  void aDeviceThatQemuDoesNotMoveIsNamed() throws Exception {
    selfcheck(
        1,
        "-accel",
        "tcg",
        "-device",
        "e1000,id=card,romfile=",
        "-device",
        "ivshmem-plain,memdev=shared,master=off",
        "-object",
        "memory-backend-memfd,id=shared,size=1M,share=on");
    moves.awaitGood(1);
    Run refused = vmckpt.fails(3, "snapshot", "" + moves.pid(), "--machine");
    assertThat(refused.err()).contains("QEMU does not move it").contains("ivshmem");
    moves.awaitGood(2);
    assertThat(Qemu.status(first())).isEqualTo("running");
  }

  @Test
  void aDiskThatIsSomewhereElseIsNamed() throws Exception {
    Path far = Files.write(folder.resolve("far"), new byte[1 << 20]);
    Path socket = folder.resolve("nbd");
    try (Peer server = new Peer(folder, "qemu-nbd", "-f", "raw", "-k", "" + socket, "" + far)) {
      server.awaitSocket(socket);
      selfcheck(
          1,
          "-accel",
          "tcg",
          "-drive",
          "if=none,id=far,format=raw,file=nbd+unix:///?socket=" + socket);
      moves.awaitGood(1);
      Run refused = vmckpt.fails(3, "snapshot", "" + moves.pid(), "--machine");
      assertThat(refused.err()).contains("(nbd)", "what the guest writes there is in no snapshot");
      moves.awaitGood(2);
    }
  }

  @Test
  void killedWhileTheMachineIsKept() throws Exception {
    Path watched = folder.resolve("watched");
    selfcheck(1, "-accel", "tcg", "-qmp", "unix:" + watched + ",server=on,wait=off");
    moves.awaitGood(1);
    Vmckpt marked = vmckpt.marked();
    try (Qmp watch = Qemu.monitor(watched)) {
      for (int i = 0; i < 5; i++) {
        Pending<QmpEvent> stopped = watch.events().expect("STOP");
        Pending<QmpEvent> resumed = watch.events().expect("RESUME");
        Process run =
            marked.start(
                folder.resolve("out"),
                folder.resolve("err"),
                "snapshot",
                "" + moves.pid(),
                "--machine");
        stopped.get(PATIENCE);
        Thread.sleep(i);
        run.destroyForcibly().waitFor();
        resumed.get(PATIENCE);
        marked.awaitNoLeftovers();
        moves.awaitGood(2);
      }
    }
    moves.save("after", "--machine");
    moves.end();
    moves.restore("after");
    moves.awaitGood(3);
  }

  @Test
  void killedWhileAnotherIsStarted() throws Exception {
    selfcheck(1, "-accel", "tcg");
    moves.awaitGood(1);
    moves.save("m", "--machine", "--kill");
    Vmckpt marked = vmckpt.marked();
    long begun = System.nanoTime();
    moves.restore("m");
    long whole = (System.nanoTime() - begun) / 1_000_000;
    moves.end();
    for (int i = 0; i < 4; i++) {
      Process run =
          marked.start(
              folder.resolve("out"), folder.resolve("err"), "restore", "m", "--on", "qemu");
      Thread.sleep(whole * (5 + i) / 8);
      run.destroyForcibly().waitFor();
      // One that was let go goes on; any other ends.
      Health.await("none is left that waits", () -> started().stream().allMatch(this::runs));
      started().forEach(each -> Detached.kill((int) each.pid()));
      marked.awaitNoLeftovers();
    }
    moves.restore("m");
    moves.awaitGood(3);
  }

  private List<ProcessHandle> started() {
    return ProcessHandle.allProcesses().filter(each -> !monitorOf(each).isEmpty()).toList();
  }

  /** Where a QEMU that was started from a snapshot of this test listens; empty for any other. */
  private String monitorOf(ProcessHandle process) {
    try {
      String words = Files.readString(Path.of("/proc/" + process.pid() + "/cmdline"));
      int path = words.indexOf("path=" + vmckpt.store() + "/work");
      boolean is = words.contains("qemu-system") && words.contains("vmckpt-qmp") && path >= 0;
      return is ? words.substring(path + "path=".length(), words.indexOf('\0', path)) : "";
    } catch (IOException ended) {
      return "";
    }
  }

  private boolean runs(ProcessHandle process) {
    try {
      return Qemu.status(Path.of(monitorOf(process))).equals("running");
    } catch (QmpException ended) {
      return false;
    }
  }

  @Test
  void whatWasStoppedIsStartedStopped() throws Exception {
    selfcheck(1, "-accel", "tcg");
    moves.awaitGood(1);
    try (Qmp qmp = Qemu.monitor(first())) {
      qmp.execute("stop");
    }
    moves.save("stopped", "--machine");
    assertThat(Qemu.status(first())).isEqualTo("paused");
    moves.end();
    Path there = Path.of(moves.restore("stopped").text("monitor"));
    assertThat(Qemu.status(there)).isEqualTo("paused");
    try (Qmp qmp = Qemu.monitor(there)) {
      qmp.execute("cont");
    }
    moves.awaitGood(3);
  }
}
