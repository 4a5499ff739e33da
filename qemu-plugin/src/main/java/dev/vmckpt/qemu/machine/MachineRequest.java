// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How another QEMU is to be started from a machine.
 *
 * @param binary the program, or null for the one that ran
 * @param accelerator {@code tcg} or {@code kvm}, or null for the one it had
 * @param cpu the value of {@code -cpu}, or null for the one it had
 * @param files for the path of a disk, as the old command line names it or absolute, the file that
 *     the new QEMU is to use
 * @param networks for the id of a network back end the new value of its {@code -netdev}, without
 *     the id, for example {@code user}
 * @param chardevs for the id of a character device the new value of its {@code -chardev}, without
 *     the id, for example {@code null}
 * @param accepted names of processor features that the guest is said not to use, {@code vendor}
 *     among them
 * @param folder an existing folder of ours, for the new QEMU's monitor ({@code qmp}) and its words
 *     ({@code stderr}); a short path, for a socket is to have its name there
 */
public record MachineRequest(
    @Nullable Path binary,
    @Nullable String accelerator,
    @Nullable String cpu,
    Map<String, Path> files,
    Map<String, String> networks,
    Map<String, String> chardevs,
    Set<String> accepted,
    Path folder) {
  /** The same machine under the same QEMU, with its own disks. */
  public static MachineRequest in(Path folder) {
    return new MachineRequest(null, null, null, Map.of(), Map.of(), Map.of(), Set.of(), folder);
  }

  /** With another accelerator and processor. */
  public MachineRequest on(String otherAccelerator, @Nullable String otherCpu) {
    return new MachineRequest(
        binary, otherAccelerator, otherCpu, files, networks, chardevs, accepted, folder);
  }

  /** With other disks. */
  public MachineRequest withFiles(Map<String, Path> others) {
    return new MachineRequest(
        binary, accelerator, cpu, others, networks, chardevs, accepted, folder);
  }

  /** With features that the guest can do without. */
  public MachineRequest accepting(Set<String> features) {
    return new MachineRequest(
        binary, accelerator, cpu, files, networks, chardevs, features, folder);
  }

  /** With another program. */
  public MachineRequest by(Path program) {
    return new MachineRequest(
        program, accelerator, cpu, files, networks, chardevs, accepted, folder);
  }
}
