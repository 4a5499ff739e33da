// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.kvm.setup.Pointers;
import dev.vmckpt.kvm.setup.SetupFile;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is recorded of real monitors. */
class RecordingTest {
  private static final List<String> QEMU =
      List.of(
          "qemu-system-x86_64",
          "-accel",
          "kvm",
          "-cpu",
          "host,-arch-capabilities",
          "-m",
          "128",
          "-smp",
          "2",
          "-nodefaults",
          "-display",
          "none");

  private static final Pattern TRACED = Pattern.compile("ioctl\\(\\d+, (KVM_\\w+).*\\) += (\\d+)$");

  @TempDir Path folder = Path.of("/nonexistent");

  private static String[] with(List<String> before, String... after) {
    List<String> all = new ArrayList<>(before);
    all.addAll(QEMU);
    all.addAll(List.of(after));
    return all.toArray(new String[0]);
  }

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void whatQemuSetsIsRecorded() throws Exception {
    try (Recorder recorder = Recorder.start(folder, with(List.of("--detach", "--")))) {
      Recorder.Run run = recorder.await();
      assertThat(run.code()).as(run.err()).isZero();
      int pid = Integer.parseInt(run.out().split(" ", -1)[0]);
      assertThat(recorder.leftovers()).containsExactly(pid);
      assertThat(Recorder.tracers(pid)).hasSizeGreaterThan(2).containsOnly(0);
      SetupImage image = SetupFile.find(pid).orElseThrow();
      assertThat(image.settled()).isTrue();
      assertThat(image.machines()).hasSize(1);
      SetupImage.Machine machine = image.machines().get(0);
      assertThat(Files.readSymbolicLink(Path.of("/proc/" + pid + "/fd/" + machine.fd())))
          .hasToString("anon_inode:kvm-vm");
      assertThat(machine.vcpus()).containsExactly(0, 1);
      assertThat(machine.slots()).anyMatch(slot -> slot.gpa() == 0 && slot.bytes() > 0);
      assertSettings(machine);
      assertCounts(machine.calls(), traced());
    }
  }

  /** What QEMU 7.2 is known to set on a machine of type pc with two vcpus. */
  private static void assertSettings(SetupImage.Machine machine) {
    Map<Integer, Long> capabilities = new TreeMap<>();
    for (SettingsImage.Call call : machine.calls()) {
      ByteBuffer words = ByteBuffer.wrap(call.argument()).order(ByteOrder.LITTLE_ENDIAN);
      switch (call.name()) {
        case "KVM_ENABLE_CAP" -> capabilities.put(words.getInt(0), words.getLong(8));
        case "KVM_SET_IDENTITY_MAP_ADDR" -> assertThat(words.getLong(0)).isEqualTo(0xfeffc000L);
        case "KVM_SET_TSS_ADDR" -> {
          assertThat(words.getLong(0)).isEqualTo(0xfeffd000L);
          assertThat(call.plain()).isTrue();
        }
        case "KVM_X86_SET_MSR_FILTER" -> {
          assertThat(words.getInt(16)).isEqualTo(0x35);
          byte[] placed = Pointers.at(call, new RemoteAddress(0x1000));
          assertThat(ByteBuffer.wrap(placed).order(ByteOrder.LITTLE_ENDIAN).getLong(24))
              .isEqualTo(0x1000 + 392);
        }
        case "KVM_SET_GSI_ROUTING" -> assertThat(call.argument()).hasSize(8 + 48 * words.getInt(0));
        default -> assertThat(call.argument()).isNotEmpty();
      }
    }
    assertThat(capabilities).isEqualTo(Map.of(168, 3L, 164, 1L, 218, 1L, 188, 4L, 128, 2L));
  }

  /** How often another tracer sees calls of the same QEMU succeed until it is stopped. */
  private Map<String, Integer> traced() throws IOException, InterruptedException {
    Path log = folder.resolve("strace");
    List<String> command =
        new ArrayList<>(List.of("timeout", "-s", "KILL", "5", "strace", "-f", "-e", "trace=ioctl"));
    command.addAll(List.of("-o", log.toString()));
    command.addAll(QEMU);
    new ProcessBuilder(command)
        .redirectInput(new File("/dev/null"))
        .redirectErrorStream(true)
        .redirectOutput(folder.resolve("strace.out").toFile())
        .start()
        .waitFor();
    Map<String, Integer> counts = new TreeMap<>();
    for (String line : Files.readAllLines(log)) {
      Matcher call = TRACED.matcher(line);
      if (call.find()) {
        counts.merge(call.group(1), 1, Integer::sum);
      }
    }
    // Killed, strace lets go of QEMU.
    String first = Files.readAllLines(log).get(0);
    Detached.kill(Integer.parseInt(first.substring(0, first.indexOf(' '))));
    return counts;
  }

  private static void assertCounts(List<SettingsImage.Call> calls, Map<String, Integer> traced) {
    Map<String, Integer> recorded = new TreeMap<>();
    for (SettingsImage.Call call : calls) {
      recorded.merge(call.name(), 1, Integer::sum);
    }
    for (String each :
        List.of("KVM_ENABLE_CAP", "KVM_SET_TSS_ADDR", "KVM_X86_SETUP_MCE", "KVM_CREATE_IRQCHIP")) {
      assertThat(recorded.get(each)).as(each).isEqualTo(traced.get(each));
    }
    assertThat(recorded.get("KVM_SET_GSI_ROUTING")).isEqualTo(1);
    assertThat(traced).containsKey("KVM_SET_GSI_ROUTING");
    assertThat(traced.keySet())
        .containsAll(List.of("KVM_SET_USER_MEMORY_REGION", "KVM_CREATE_VCPU"));
  }

  @Test
  void aMonitorThatBecomesADaemonIsFollowed() throws Exception {
    Path file = folder.resolve("pid");
    try (Recorder recorder =
        Recorder.start(folder, with(List.of("--"), "-daemonize", "-pidfile", file.toString()))) {
      Recorder.Run run = recorder.await();
      assertThat(run.code()).as(run.err()).isZero();
      int pid = Integer.parseInt(Files.readString(file).strip());
      assertThat(recorder.leftovers()).containsExactly(pid);
      assertThat(Recorder.tracers(pid)).containsOnly(0);
      assertThat(SetupFile.find(pid).orElseThrow().machines().get(0).vcpus()).hasSize(2);
    }
  }

  @Test
  void slotsThatWereTakenAwayAreNotThere() throws Exception {
    Path program = TinyMonitor.build(folder);
    Path log = folder.resolve("log");
    TinyMonitor monitor = new TinyMonitor(log);
    try (Recorder recorder =
        Recorder.start(folder, "-d", "--quiet", "0.3", "--", "" + program, "" + log)) {
      assertThat(recorder.await().code()).isZero();
      SetupImage image = SetupFile.find(monitor.pid()).orElseThrow();
      assertThat(image.settled()).isTrue();
      SetupImage.Machine machine = image.machines().get(0);
      assertThat(machine.slots().stream().map(slot -> slot.id())).containsExactly(2, 7);
      assertThat(machine.calls()).hasSize(1);
      monitor.assertWorks(3);
      Detached.kill(monitor.pid());
      assertThat(SetupFile.find(monitor.pid())).isEmpty();
    }
  }

  @Test
  void afterTheLimitItIsLetGo() throws Exception {
    Path program = TinyMonitor.build(folder);
    Path log = folder.resolve("log");
    TinyMonitor monitor = new TinyMonitor(log);
    try (Recorder recorder =
        Recorder.start(
            folder, "-d", "--quiet", "3600", "--limit", "1.5", "--", "" + program, "" + log)) {
      assertThat(recorder.await().code()).isZero();
      assertThat(SetupFile.find(monitor.pid()).orElseThrow().settled()).isFalse();
      monitor.assertWorks(2);
    }
  }
}
