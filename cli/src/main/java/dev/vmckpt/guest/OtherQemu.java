// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.ckpt.memory.SavedMemory;
import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.qemu.machine.MachineRequest;
import dev.vmckpt.qemu.machine.MachineStarter;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Another QEMU, started from the snapshot of one: its memory is read from the saved process, its
 * disks are working copies of those the snapshot keeps.
 *
 * @param snapshot the folder of the snapshot
 * @param process the saved QEMU
 */
public record OtherQemu(Path snapshot, ProcessImage process) {
  /** How the adapter of files calls itself, and what it says of a file that is kept. */
  private static final String FILES = "files";

  private static final String KEPT = "diskFile";
  private static final String NETDEV = "netdev:";
  private static final String CHARDEV = "chardev:";
  private static final String DISK = "disk:";

  /**
   * What is to be different.
   *
   * @param binary the program, or null for the one that ran
   * @param accelerator {@code tcg} or {@code kvm}, or null for the one it had
   * @param cpu the value of {@code -cpu}, or null for the one it had
   * @param accepted features of the processor that the guest does not use
   * @param reattach {@code netdev:ID}, {@code chardev:ID} and {@code disk:PATH} with what they are
   *     to be
   */
  public record Wish(
      @Nullable Path binary,
      @Nullable String accelerator,
      @Nullable String cpu,
      Set<String> accepted,
      Map<String, String> reattach) {
    /**
     * @throws UsageException if there is no such accelerator, or nothing of the kind that is to be
     *     attached to something else
     */
    public Wish {
      if (accelerator != null && !accelerator.equals("tcg") && !accelerator.equals("kvm")) {
        throw new UsageException("--accel " + accelerator + " is none: there are tcg and kvm");
      }
      for (String key : reattach.keySet()) {
        if (!key.startsWith(NETDEV) && !key.startsWith(CHARDEV) && !key.startsWith(DISK)) {
          throw new UsageException(
              "--reattach "
                  + key
                  + " is none for another QEMU, which has netdev:ID, chardev:ID and disk:PATH");
        }
      }
    }

    private Map<String, String> of(String kind) {
      Map<String, String> named = new LinkedHashMap<>();
      for (Map.Entry<String, String> entry : reattach.entrySet()) {
        if (entry.getKey().startsWith(kind)) {
          named.put(entry.getKey().substring(kind.length()), entry.getValue());
        }
      }
      return named;
    }
  }

  /**
   * Starts it.
   *
   * @param work a folder of its own, which is made: disks, its monitor, its words
   * @throws RefusedException naming everything that stands in the way
   * @throws FailureException with QEMU's words, if it fails for another reason
   */
  public MachineStarter.Started start(Wish wish, Path work) {
    MachineStarter starter = new MachineStarter(snapshot);
    try {
      Files.createDirectories(
          work, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (IOException e) {
      throw new FailureException(work + " cannot be made: " + e.getMessage(), e);
    }
    Map<String, String> kept = keptDisks();
    Map<String, Path> disks = new LinkedHashMap<>();
    kept.forEach((path, copy) -> disks.put(path, workingCopy(work, copy)));
    Map<String, Path> wished = new LinkedHashMap<>();
    wish.of(DISK).forEach((path, file) -> wished.put(path, Path.of(file).toAbsolutePath()));
    RefusedException.throwIfAny(
        MachineStarter.WHAT, starter.obstacles(wished, folderOf(snapshot), folderOf(work)));
    wished.forEach((path, file) -> replace(starter, disks, path, file));
    try (SavedMemory memory = new SavedMemory(snapshot, process.memory(), process.files())) {
      List<Refusal> obstacles = new ArrayList<>();
      for (RamBlock block : starter.image().ram()) {
        obstacles.addAll(memory.obstacles(block.host(), block.used()));
      }
      RefusedException.throwIfAny(MachineStarter.WHAT, obstacles);
      return starter.start(
          new MachineRequest(
              wish.binary(),
              wish.accelerator(),
              wish.cpu(),
              disks,
              wish.of(NETDEV),
              wish.of(CHARDEV),
              wish.accepted(),
              work),
          memory::read,
          () -> copyDisks(kept, disks, work));
    }
  }

  private static Path folderOf(Path path) {
    Path folder = path.toAbsolutePath().getParent();
    return folder == null ? path : folder;
  }

  /** One disk may have several names: for QEMU, for the kernel, for its user. */
  private static void replace(
      MachineStarter starter, Map<String, Path> disks, String path, Path file) {
    String name = starter.disk(path);
    if (name != null) {
      disks.replaceAll((other, copy) -> name.equals(starter.disk(other)) ? file : copy);
      disks.put(name, file);
    }
    disks.put(path, file);
  }

  /** Of each disk the snapshot keeps, by the path it had: where it lies in the snapshot. */
  private Map<String, String> keptDisks() {
    Map<String, String> disks = new LinkedHashMap<>();
    for (OpenFileImage file : process.files()) {
      if (file.object() instanceof DescriptorImage.Connection connection
          && connection.adapter().equals(FILES)
          && connection.state().value() instanceof Map<?, ?> state
          && state.get("file") instanceof Map<?, ?> kept
          && KEPT.equals(kept.get("kind"))
          && kept.get("path") instanceof String path
          && kept.get("copy") instanceof String copy) {
        disks.putIfAbsent(path, copy);
      }
    }
    return disks;
  }

  private static Path workingCopy(Path work, String copy) {
    return work.resolve(copy.substring(copy.lastIndexOf('/') + 1));
  }

  /** Makes the working copies, but of those disks that the user has others for. */
  private void copyDisks(Map<String, String> kept, Map<String, Path> disks, Path work) {
    FileCloner cloner = new LinuxFileCloner();
    kept.forEach(
        (path, copy) -> {
          Path working = workingCopy(work, copy);
          if (working.equals(disks.get(path)) && !Files.exists(working)) {
            cloner.copy(snapshot.resolve(copy), working);
          }
        });
  }
}
