// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.MachineImage.BlockFile;
import dev.vmckpt.qemu.machine.MachineImage.Device;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What can be known before a QEMU is started for a machine. A throwaway one, with the wanted
 * machine type, accelerator and processor and no guest, is asked for what only it knows.
 */
final class MachineChecks {
  private static final Path KVM_DEVICE = Path.of("/dev/kvm");

  /** Bytes of a socket's path, the zero behind it not counted. */
  private static final int LONGEST_SOCKET = 107;

  /** What a processor looks like depends on how many there are, too. */
  private static final Set<String> OF_PROCESSORS = Set.of("accel", "cpu", "smp");

  private static final String WITHOUT = "restore the process as it is, without --on";

  private final MachineImage image;
  private final MachineRequest request;
  private final NewCommandLine.Result line;
  private final DeviceState saved;
  private final List<Refusal> refusals = new ArrayList<>();

  private MachineChecks(
      MachineImage image, MachineRequest request, NewCommandLine.Result line, DeviceState saved) {
    this.image = image;
    this.request = request;
    this.line = line;
    this.saved = saved;
  }

  /** Everything that stands in the way; empty if nothing is known. */
  static List<Refusal> of(
      MachineImage image, MachineRequest request, NewCommandLine.Result line, DeviceState saved) {
    MachineChecks checks = new MachineChecks(image, request, line, saved);
    checks.look();
    return checks.refusals;
  }

  private void look() {
    refusals.addAll(line.refusals());
    for (String obstacle : image.obstacles()) {
      add("machine", "QEMU does not move it: " + obstacle, WITHOUT);
    }
    if (!Files.isDirectory(Path.of(image.workingFolder()))) {
      add(
          "folder " + image.workingFolder(),
          "the paths of the machine are relative to it, and it is gone",
          "make it again");
    }
    if (line.accelerator().equals(Accelerators.KVM)
        && !(Files.isReadable(KVM_DEVICE) && Files.isWritable(KVM_DEVICE))) {
      add("--accel kvm", KVM_DEVICE + " is not there or not ours to open", "use --accel tcg");
    }
    checkPlace();
    checkOptions();
    checkDisks();
    Path binary = Path.of(binary(image, request));
    if (!Files.isExecutable(binary)) {
      add("binary " + binary, "there is no such program", "name another with --binary");
    } else if (refusals.isEmpty()) {
      probe(binary.toString());
    }
  }

  /** The program to be started. */
  static String binary(MachineImage image, MachineRequest request) {
    Path wanted = request.binary();
    return wanted != null ? wanted.toString() : image.binary().replace(" (deleted)", "");
  }

  private void add(String what, String why, String remedy) {
    refusals.add(new Refusal(what, why, remedy));
  }

  /** Sockets of ours get a name there, which the kernel wants short: sun_path of unix(7). */
  private void checkPlace() {
    String longest = request.folder().resolve(MachineStarter.INCOMING).toString();
    if (longest.getBytes(StandardCharsets.UTF_8).length > LONGEST_SOCKET) {
      add(
          "socket " + longest,
          "its path is longer than the " + LONGEST_SOCKET + " bytes that the kernel takes",
          "move the store to a shorter path");
    }
  }

  private void checkOptions() {
    for (Option option : line.options()) {
      String kind = option.text();
      if (option.name().equals("object") && kind.contains("memory-backend-file")) {
        add(
            "-object " + kind,
            "its memory is a file, which the machine it came from may still be using",
            "start machines with memory-backend-memfd or -m alone");
      }
    }
  }

  /** A disk that the guest writes has to be a copy of that instant, given to us by our caller. */
  private void checkDisks() {
    for (BlockFile file : image.nodes()) {
      Path other = Drives.replacement(image, request.files(), file.path());
      if (other == null && !file.readOnly()) {
        add(
            "disk " + file.path(),
            "the snapshot has no copy of it as it was",
            "give a copy of that instant with --reattach disk:" + file.path() + "=FILE");
      }
      Path used = Path.of(image.workingFolder()).resolve(file.path());
      if (other == null && !Files.exists(used)) {
        add("disk " + used, "it is gone", "put it back");
      }
    }
  }

  private void probe(String binary) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "-S",
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-machine",
                image.machine()));
    for (Option option : line.options()) {
      if (OF_PROCESSORS.contains(option.name())) {
        arguments.addAll(CommandLine.toArguments(List.of(option)));
      }
    }
    try (QemuProcess qemu = QemuProcess.start(binary, arguments, Path.of("/"), request.folder())) {
      String path = qemu.qmp().execute("query-cpus-fast").path(0).path("qom-path").asText();
      checkCpu(CpuImage.of(qemu.qmp(), path));
      for (Device device : image.devices()) {
        if (!hasDevice(qemu.qmp(), device.type())) {
          add("device " + device.type(), binary + " has none", "use a QEMU that has it");
        }
      }
    } catch (FailureException | QmpException e) {
      add(
          "machine " + image.machine() + " under " + line.accelerator() + cpuText(line.cpu()),
          binary + " does not make it: " + e.getMessage(),
          "name another with --binary, --accel or --cpu");
    }
  }

  /** Asked one by one: for the list of all, QEMU loads every module, and may die of a wrong one. */
  private static boolean hasDevice(Qmp qmp, String type) {
    try {
      qmp.execute("device-list-properties", a -> a.put("typename", type));
      return true;
    } catch (QmpErrorException e) {
      return false;
    }
  }

  private static String cpuText(@Nullable String cpu) {
    return cpu == null ? "" : " with -cpu " + cpu;
  }

  private void checkCpu(CpuImage other) {
    List<String> missing = image.cpu().missingOn(other, request.accepted());
    if (!missing.isEmpty()) {
      add(
          "processor " + image.cpu().type(),
          "the guest has seen what " + other.type() + " lacks: " + String.join(", ", missing),
          "name a model with --cpu that has them, or with --without those that the guest does not"
              + " use");
    }
    CpuUse use = CpuUse.of(saved);
    List<String> used = use == null ? List.of() : use.missingOn(other);
    if (!used.isEmpty()) {
      add(
          "processor " + image.cpu().type(),
          "the guest has switched on what " + other.type() + " lacks: " + String.join(", ", used),
          "name a model with --cpu that has them");
    }
  }
}
