// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A machine as its QEMU described it at the instant of a snapshot.
 *
 * @param version of QEMU, as {@code major.minor.micro}
 * @param binary the program that ran, as /proc/PID/exe names it
 * @param commandLine its arguments, the name of the program first
 * @param workingFolder what relative paths in them are relative to
 * @param machine the machine type with its version, for example {@code pc-i440fx-7.2}
 * @param accelerator {@code tcg} or {@code kvm}
 * @param running whether the guest ran before it was stopped for the snapshot
 * @param cpus how many processors it has, the hot-plugged among them
 * @param cpu the first of them; QEMU makes all alike
 * @param ram the blocks of memory that migrate
 * @param nodes the files that its block devices read and write
 * @param drives what its guest sees of them; null in snapshots that are older than this
 * @param devices what was added by {@code -device} and {@code device_add}
 * @param later what is to be taken for its command line if parts came or went after its start; null
 *     if none did
 * @param obstacles why QEMU would not migrate it, in its words; empty if it would
 * @param stateBytes the length of {@link #STATE}
 */
public record MachineImage(
    String version,
    String binary,
    List<String> commandLine,
    String workingFolder,
    String machine,
    String accelerator,
    boolean running,
    int cpus,
    CpuImage cpu,
    List<RamBlock> ram,
    List<BlockFile> nodes,
    @Nullable List<Drive> drives,
    List<Device> devices,
    @Nullable Later later,
    List<String> obstacles,
    long stateBytes) {
  /** The file of this record within the folder of a snapshot. */
  public static final String FILE = "machine.json";

  /** The file of the state of devices and processors, see {@link DeviceState}. */
  public static final String STATE = "machine.state";

  /**
   * A block of guest memory.
   *
   * @param name unique within the machine
   * @param used how much of it is in use, in bytes
   * @param most how much it can grow to
   * @param host where it lies in the address space of QEMU
   */
  public record RamBlock(String name, long used, long most, RemoteAddress host) {}

  /**
   * A file that QEMU reads or writes for a block device.
   *
   * @param path as QEMU says it
   * @param driver for example {@code file} or {@code host_device}
   * @param readOnly whether it is only read
   */
  public record BlockFile(String path, String driver, boolean readOnly) {}

  /**
   * A drive of the guest.
   *
   * @param name of its back end, or of its device
   * @param bytes the length that the guest sees; -1 if there is no medium
   * @param readOnly whether the guest cannot write it
   */
  public record Drive(String name, long bytes, boolean readOnly) {}

  /**
   * A device.
   *
   * @param path in QEMU's object tree
   * @param type for example {@code virtio-net-pci}
   */
  public record Device(String path, String type) {}

  /**
   * A machine that is not what its command line says any more.
   *
   * @param commandLine that would make it as it was at that instant
   * @param otherUserNetworks whether it has other user networks than it began with
   */
  public record Later(List<String> commandLine, boolean otherUserNetworks) {}

  /** The command line that would make it as it was at that instant. */
  CommandLine line() {
    return CommandLine.parse(later == null ? commandLine : later.commandLine());
  }
}
