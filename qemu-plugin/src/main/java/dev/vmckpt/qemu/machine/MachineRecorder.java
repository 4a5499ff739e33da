// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.live.LiveMachine;
import dev.vmckpt.qemu.machine.MachineImage.BlockFile;
import dev.vmckpt.qemu.machine.MachineImage.Device;
import dev.vmckpt.qemu.machine.MachineImage.Drive;
import dev.vmckpt.qemu.machine.MachineImage.Later;
import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Records a machine beside a snapshot of its process.
 *
 * <p>{@link #prepare} asks for what does not change while the guest runs; it takes tens of
 * milliseconds. {@link #record} asks for the rest, a few milliseconds, and must be called while the
 * guest is stopped. The state is that of QEMU's own {@code xen-save-devices-state}, which has
 * nothing of Xen in it: what {@code migrate} sends, without memory and disks.
 */
public final class MachineRecorder {
  private static final String TYPE_SUFFIX = "-machine";

  /** What is refused if it cannot be done, for messages. */
  public static final String KEEPING = "keeping the machine for another QEMU";

  /** Until the state is written: milliseconds, on a host that is not overloaded. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final int pid;
  private @Nullable Facts facts;
  private @Nullable String ramText;
  private List<RamBlock> ram = List.of();

  /**
   * @param pid of the QEMU
   */
  public MachineRecorder(int pid) {
    this.pid = pid;
  }

  private record Facts(
      String version,
      String binary,
      List<String> commandLine,
      String folder,
      String machine,
      String accelerator,
      int cpus,
      CpuImage cpu,
      List<BlockFile> nodes,
      List<Drive> drives,
      List<Device> devices,
      @Nullable Later later) {}

  /**
   * Asks for everything but the state; the guest may run.
   *
   * @return what stands in the way of starting another QEMU from it; empty if nothing is known
   * @throws dev.vmckpt.spi.error.RefusedException if its memory is not found
   * @throws dev.vmckpt.qmp.QmpException if the monitor fails
   */
  public List<Refusal> prepare(Qmp qmp) {
    List<String> commandLine = commandLine();
    JsonNode cpus = qmp.execute("query-cpus-fast");
    String machine =
        qmp.execute("qom-get", a -> a.put("path", "/machine").put("property", "type")).asText();
    if (machine.endsWith(TYPE_SUFFIX)) {
      machine = machine.substring(0, machine.length() - TYPE_SUFFIX.length());
    }
    JsonNode nodes = Drives.nodes(qmp);
    CommandLine parsed = CommandLine.parse(commandLine);
    LiveMachine live = new LiveMachine(qmp);
    List<Refusal> refusals = new ArrayList<>();
    Later later = LaterParts.find(live, parsed, refusals);
    facts =
        new Facts(
            versionOf(qmp),
            link("exe"),
            commandLine,
            link("cwd"),
            machine,
            qmp.execute("query-kvm").path("enabled").asBoolean() ? "kvm" : "tcg",
            cpus.size(),
            CpuImage.of(qmp, cpus.path(0).path("qom-path").asText()),
            Drives.files(nodes),
            Drives.of(qmp),
            devices(live),
            later);
    findRam(qmp);
    for (String reason : blockedReasons(qmp)) {
      refusals.add(
          new Refusal(
              "machine",
              "QEMU does not move it: " + reason,
              "remove that device first, or restore the process as it is"));
    }
    refusals.addAll(ForeignOptions.refusals(parsed));
    refusals.addAll(Drives.elsewhere(nodes));
    return refusals;
  }

  static String versionOf(Qmp qmp) {
    JsonNode version = qmp.execute("query-version").path("qemu");
    return version.path("major").asInt()
        + "."
        + version.path("minor").asInt()
        + "."
        + version.path("micro").asInt();
  }

  private void findRam(Qmp qmp) {
    String text = RamBlocks.ask(qmp);
    if (!text.equals(ramText)) {
      ram = RamBlocks.find(pid, text);
      ramText = text;
    }
  }

  private List<String> commandLine() {
    List<String> words = CommandLine.wordsOf(pid);
    if (words.isEmpty()) {
      throw new FailureException("the command line of QEMU " + pid + " cannot be read");
    }
    return words;
  }

  private String link(String name) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/" + pid + "/" + name)).toString();
    } catch (IOException e) {
      throw new FailureException("/proc/" + pid + "/" + name + " cannot be read: " + e, e);
    }
  }

  /** What was added by -device and device_add, with an id or without. */
  static List<Device> devices(LiveMachine live) {
    List<Device> devices = new ArrayList<>();
    live.devices().forEach((path, type) -> devices.add(new Device(path, type)));
    return devices;
  }

  private static List<String> blockedReasons(Qmp qmp) {
    List<String> reasons = new ArrayList<>();
    for (JsonNode reason : qmp.execute("query-migrate").path("blocked-reasons")) {
      reasons.add(reason.asText());
    }
    return reasons;
  }

  /**
   * Looks whether QEMU knows all that the guest uses. To be called before {@link #record}, which is
   * not harmless else: see {@link KvmCpuUse}. The guest must be stopped.
   *
   * @param lodger makes a task in QEMU; is not called if its guest is not under KVM
   * @throws RefusedException if there is something that QEMU does not know of
   * @throws FailureException if KVM cannot be asked
   */
  public void requireKnownUse(Supplier<RemoteTask> lodger) {
    requireKnown(KvmCpuUse.of(pid, lodger), facts().cpu());
  }

  private Facts facts() {
    Facts known = facts;
    if (known == null) {
      throw new IllegalStateException("not prepared");
    }
    return known;
  }

  /**
   * Writes {@link MachineImage#FILE} and {@link MachineImage#STATE} into a folder. The guest must
   * be stopped, and its process must be captured before it runs on: its memory is of this instant.
   *
   * @param qmp as it was {@linkplain #prepare prepared}
   * @param folder where QEMU itself can write
   * @param ranBefore whether the guest ran before it was stopped
   * @throws RefusedException if the guest uses what QEMU does not know of, so that the state lacks
   *     it
   * @throws dev.vmckpt.qmp.QmpException if the monitor fails
   * @throws FailureException if the folder cannot be written
   */
  public MachineImage record(Qmp qmp, Path folder, boolean ranBefore) {
    Facts known = facts();
    findRam(qmp);
    List<String> obstacles = blockedReasons(qmp);
    byte[] state = saveState(qmp, folder);
    // One that cannot be read back is noticed here.
    requireKnown(CpuUse.of(DeviceState.parse(state)), known.cpu());
    MachineImage image =
        new MachineImage(
            known.version(),
            known.binary(),
            known.commandLine(),
            known.folder(),
            known.machine(),
            known.accelerator(),
            ranBefore,
            known.cpus(),
            known.cpu(),
            ram,
            known.nodes(),
            known.drives(),
            known.devices(),
            known.later(),
            obstacles,
            state.length);
    write(folder.resolve(MachineImage.STATE), state);
    write(folder.resolve(MachineImage.FILE), RecordJson.write(image));
    return image;
  }

  /** QEMU saves the registers of those features that it gave to the processor, and no others. */
  private static void requireKnown(@Nullable CpuUse use, CpuImage cpu) {
    List<String> unknown = use == null ? List.of() : use.missingOn(cpu);
    if (!unknown.isEmpty()) {
      throw new RefusedException(
          KEEPING,
          List.of(
              new Refusal(
                  "processor " + cpu.type(),
                  "the guest has switched on what QEMU did not give to it and does not save: "
                      + String.join(", ", unknown),
                  "start it with a processor that has them, for example -cpu host, or leave out"
                      + " --machine")));
    }
  }

  /** QEMU writes it under its own user; what is kept is a copy under ours. */
  private static byte[] saveState(Qmp qmp, Path folder) {
    Path written = folder.resolve(MachineImage.STATE + ".qemu");
    try {
      try {
        // live=false: else QEMU takes its hands off the disks, as at the end of a migration.
        qmp.execute(
            "xen-save-devices-state",
            a -> a.put("filename", written.toAbsolutePath().toString()).put("live", false),
            PATIENCE);
        return Files.readAllBytes(written);
      } finally {
        Files.deleteIfExists(written);
      }
    } catch (IOException e) {
      throw new FailureException("the state of the machine cannot be kept in " + folder, e);
    } catch (QmpErrorException e) {
      throw new FailureException(
          "QEMU does not save the state of its devices: " + e.description(), e);
    }
  }

  private static void write(Path file, byte[] bytes) {
    try {
      Files.createFile(
          file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.write(file, bytes, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new FailureException(file + " cannot be written", e);
    }
  }

  /**
   * Reads what {@link #record} wrote.
   *
   * @throws dev.vmckpt.spi.error.SnapshotException if it is damaged
   * @throws RefusedException if it is not there
   */
  public static MachineImage read(Path folder) {
    Path file = folder.resolve(MachineImage.FILE);
    try {
      byte[] json = Files.readAllBytes(file);
      return RecordJson.read(json, 0, json.length, MachineImage.class, file.toString());
    } catch (NoSuchFileException e) {
      throw new RefusedException(
          MachineStarter.WHAT,
          List.of(
              new Refusal(
                  "machine",
                  "the snapshot has none, it was taken without --machine",
                  "take one with 'snapshot --machine', or restore this one without --on")));
    } catch (IOException e) {
      throw new FailureException(file + " cannot be read: " + e.getMessage(), e);
    }
  }
}
