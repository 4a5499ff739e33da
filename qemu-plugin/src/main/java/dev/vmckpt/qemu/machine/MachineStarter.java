// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.live.LiveMachine;
import dev.vmckpt.qemu.machine.MachineImage.Device;
import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Starts another QEMU from a recorded machine.
 *
 * <p>In this order: start it waiting for a migration, compare its machine with the recorded one,
 * fill its memory from outside, send it the state of the devices as a migration that brings no
 * memory, let it run. Whatever fails on the way ends it, and the failure says what it said.
 */
public final class MachineStarter {
  public static final String WHAT = "starting another QEMU";

  /** The socket in the folder of a request that the state is sent through. */
  static final String INCOMING = "incoming";

  /** What a network of {@code -netdev user} keeps: its leases, none of its connections. */
  private static final String USER_NETWORK = "slirp";

  private static final Set<String> ENDED = Set.of("completed", "failed");
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private final MachineImage image;
  private final Path state;

  /**
   * @param folder the one that {@link MachineRecorder#record} wrote to
   * @throws dev.vmckpt.spi.error.SnapshotException if it is damaged
   * @throws RefusedException if there is no machine in it
   */
  public MachineStarter(Path folder) {
    image = MachineRecorder.read(folder);
    state = folder.resolve(MachineImage.STATE);
  }

  /**
   * A machine that was started.
   *
   * @param pid of its QEMU
   * @param monitor where it listens for QMP
   * @param memoryBytes how much memory was written into it
   * @param notes what is different from before, for the user
   */
  public record Started(int pid, Path monitor, long memoryBytes, List<String> notes) {}

  /** What is to be started. */
  public MachineImage image() {
    return image;
  }

  /**
   * The path that QEMU has for one of its disks; null if a path leads to none of them.
   *
   * @param path as its user names it
   */
  public @Nullable String disk(String path) {
    return Drives.named(image, path);
  }

  /**
   * What cannot be used of the files that the user has for disks; empty if nothing is known.
   *
   * @param wished for the path of a disk its file
   * @param store what lies in this folder is of some snapshot, and stays as it is
   * @param work a folder within that one, of which this does not hold
   */
  public List<Refusal> obstacles(Map<String, Path> wished, Path store, Path work) {
    return Drives.obstacles(image, wished, store, work);
  }

  /**
   * Starts it.
   *
   * @param memory of the process that the machine was in
   * @param disks makes the files that the request names; called when nothing is known to stand in
   *     the way, before anything is started for good
   * @throws RefusedException naming everything that stands in the way
   * @throws FailureException with QEMU's words, if it fails for another reason
   */
  public Started start(MachineRequest request, MemorySource memory, Runnable disks) {
    NewCommandLine.Result line = NewCommandLine.of(image, request);
    DeviceState saved = readState();
    RefusedException.throwIfAny(WHAT, check(request, line, saved));
    disks.run();
    List<String> arguments = CommandLine.toArguments(line.options());
    arguments.addAll(List.of("-S", "-incoming", "defer"));
    byte[] incoming =
        Accelerators.translate(
                line.otherUserNetworks() ? saved.without(USER_NETWORK) : saved,
                image.accelerator(),
                line.accelerator())
            .incoming(image.machine(), image.ram());
    try (QemuProcess qemu =
        QemuProcess.start(
            MachineChecks.binary(image, request),
            arguments,
            Path.of(image.workingFolder()),
            request.folder())) {
      try {
        long bytes = fill(qemu, request, memory);
        load(qemu.qmp(), incoming, request.folder().resolve(INCOMING));
        if (image.running()) {
          qemu.qmp().execute("cont");
        }
        qemu.release();
        return new Started(
            qemu.pid(), request.folder().resolve("qmp"), bytes, List.copyOf(line.notes()));
      } catch (QmpException | FailureException e) {
        throw new FailureException(
            WHAT + " failed: " + e.getMessage() + "; its words: " + qemu.said(), e);
      }
    }
  }

  private List<Refusal> check(
      MachineRequest request, NewCommandLine.Result line, DeviceState saved) {
    List<Refusal> refusals = new ArrayList<>(MachineChecks.of(image, request, line, saved));
    refusals.addAll(Accelerators.obstacles(saved, image.accelerator(), line.accelerator()));
    return refusals;
  }

  private DeviceState readState() {
    try {
      return DeviceState.parse(Files.readAllBytes(state));
    } catch (IOException e) {
      throw new FailureException(state + " cannot be read: " + e.getMessage(), e);
    }
  }

  private long fill(QemuProcess qemu, MachineRequest request, MemorySource memory) {
    List<RamBlock> blocks = RamBlocks.find(qemu.pid(), RamBlocks.ask(qemu.qmp()));
    Map<String, RamBlock> byName = new HashMap<>();
    for (RamBlock block : blocks) {
      byName.put(block.name(), block);
    }
    List<Refusal> differences =
        differences(byName, MachineRecorder.devices(new LiveMachine(qemu.qmp())));
    differences.addAll(Drives.differences(image, request, qemu.qmp()));
    RefusedException.throwIfAny(WHAT, differences);
    try (MemoryFill fill = MemoryFill.into(qemu.pid(), memory)) {
      for (RamBlock from : image.ram()) {
        RamBlock to = byName.get(from.name());
        if (to != null) {
          fill.fill(from, to);
        }
      }
      return fill.written();
    }
  }

  /** What its machine has that the recorded one has not, and the other way round. */
  private List<Refusal> differences(Map<String, RamBlock> blocks, List<Device> devices) {
    List<Refusal> refusals = new ArrayList<>();
    TreeSet<String> more = new TreeSet<>(blocks.keySet());
    for (RamBlock from : image.ram()) {
      more.remove(from.name());
      RamBlock to = blocks.get(from.name());
      if (to == null) {
        refusals.add(different("memory " + from.name(), "the new QEMU has none"));
      } else if (to.most() < from.used() || (to.most() == to.used() && to.used() != from.used())) {
        refusals.add(
            different(
                "memory " + from.name(),
                "it had " + from.used() + " bytes and has " + to.most() + " in the new QEMU"));
      }
    }
    for (String name : more) {
      refusals.add(different("memory " + name, "only the new QEMU has it"));
    }
    List<Device> gone = comparable(image.devices());
    gone.removeAll(comparable(devices));
    for (Device device : gone) {
      refusals.add(different("device " + device.path() + " " + device.type(), "it has none"));
    }
    List<Device> come = comparable(devices);
    come.removeAll(comparable(image.devices()));
    for (Device device : come) {
      refusals.add(
          different("device " + device.path() + " " + device.type(), "only the new QEMU has it"));
    }
    return refusals;
  }

  /** Processors may be of another model. */
  private static List<Device> comparable(List<Device> devices) {
    List<Device> all = new ArrayList<>();
    for (Device each : devices) {
      boolean processor = LiveMachine.isProcessor(each.type());
      all.add(processor ? new Device(each.path(), "processor") : each);
    }
    return all;
  }

  private static Refusal different(String what, String why) {
    return new Refusal(what, why, "start the new QEMU with the options of the old one");
  }

  /**
   * Sends the state and waits until it is loaded. A QEMU that cannot load it ends, with the reason
   * on its standard error.
   */
  private static void load(Qmp qmp, byte[] incoming, Path socket) {
    try {
      Files.deleteIfExists(socket);
      qmp.execute(
          "migrate-set-capabilities",
          a ->
              a.putArray("capabilities")
                  .addObject()
                  .put("capability", "events")
                  .put("state", true));
      Pending<QmpEvent> ended =
          qmp.events()
              .expect("MIGRATION", event -> ENDED.contains(event.data().path("status").asText()));
      qmp.execute("migrate-incoming", a -> a.put("uri", "unix:" + socket));
      try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
        ByteBuffer bytes = ByteBuffer.wrap(incoming);
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        channel.shutdownOutput();
        String status = ended.get(PATIENCE).data().path("status").asText();
        if (!status.equals("completed")) {
          throw new FailureException("it did not take the state");
        }
      }
      Files.deleteIfExists(socket);
    } catch (IOException e) {
      // Mostly it hung up in the middle: it does not like what it reads, and ends with the reason.
      throw new FailureException("the state was not taken: " + e.getMessage(), e);
    }
  }
}
