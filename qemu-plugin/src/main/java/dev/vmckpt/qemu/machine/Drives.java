// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.disks.BlockNode;
import dev.vmckpt.qemu.machine.MachineImage.BlockFile;
import dev.vmckpt.qemu.machine.MachineImage.Drive;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.error.Refusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The drives of a machine and the files behind them. A command line tells of those it was started
 * with: media may have been changed, and disks put on top of others, since then.
 */
final class Drives {
  private static final String REMEDY =
      "restore without --on; a machine that is to be moved has the disks of its command line";

  /** Drivers that keep what is written in nodes below them, or nowhere. */
  private static final Set<String> ABOVE =
      Set.of(
          "blkdebug",
          "blklogwrites",
          "blkverify",
          "compress",
          "copy-before-write",
          "copy-on-read",
          "luks",
          "null-aio",
          "null-co",
          "parallels",
          "preallocate",
          "qcow",
          "qcow2",
          "qed",
          "quorum",
          "raw",
          "throttle",
          "vdi",
          "vhdx",
          "vmdk",
          "vpc");

  private Drives() {}

  /** The nodes of the block graph, each by itself. */
  static JsonNode nodes(Qmp qmp) {
    return qmp.execute("query-named-block-nodes", a -> a.put("flat", true));
  }

  /** The files at the ends of the block graph: nodes that have no node below them. */
  static List<BlockFile> files(JsonNode nodes) {
    List<BlockFile> files = new ArrayList<>();
    for (JsonNode node : nodes) {
      String driver = node.path("drv").asText();
      if (BlockNode.OF_HOST.contains(driver)) {
        files.add(new BlockFile(node.path("file").asText(), driver, node.path("ro").asBoolean()));
      }
    }
    return files;
  }

  /**
   * What a guest writes to that is no file of this machine, and so in no snapshot: another QEMU
   * would go on with what it holds by then.
   */
  static List<Refusal> elsewhere(JsonNode nodes) {
    List<Refusal> refusals = new ArrayList<>();
    for (JsonNode node : nodes) {
      String driver = node.path("drv").asText();
      if (!node.path("ro").asBoolean()
          && !BlockNode.OF_HOST.contains(driver)
          && !ABOVE.contains(driver)) {
        refusals.add(
            new Refusal(
                "disk " + node.path("file").asText() + " (" + driver + ")",
                "what the guest writes there is in no snapshot",
                "leave out --machine, and restore without --on"));
      }
    }
    return refusals;
  }

  /** What the guest sees. */
  static List<Drive> of(Qmp qmp) {
    List<Drive> drives = new ArrayList<>();
    for (JsonNode each : qmp.execute("query-block")) {
      String name = each.path("device").asText();
      JsonNode medium = each.path("inserted");
      drives.add(
          new Drive(
              name.isEmpty() ? each.path("qdev").asText() : name,
              medium.path("image").path("virtual-size").asLong(-1),
              medium.path("ro").asBoolean()));
    }
    return drives;
  }

  /**
   * Which disk of a machine a path leads to.
   *
   * @return the path as QEMU has it; null if it leads to none
   */
  static @Nullable String named(MachineImage image, String path) {
    for (BlockFile file : image.nodes()) {
      if (file.path().equals(path) || same(image, file.path(), path)) {
        return file.path();
      }
    }
    return null;
  }

  /**
   * The file that stands in for that of a path.
   *
   * @param files for the path of a disk its file
   * @return null if it is to be used itself
   */
  static @Nullable Path replacement(MachineImage image, Map<String, Path> files, String path) {
    for (Map.Entry<String, Path> each : files.entrySet()) {
      if (each.getKey().equals(path) || same(image, each.getKey(), path)) {
        return each.getValue();
      }
    }
    return null;
  }

  private static boolean same(MachineImage image, String one, String other) {
    try {
      return resolved(image, one).equals(resolved(image, other));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private static Path resolved(MachineImage image, String path) {
    return real(Path.of(image.workingFolder()).resolve(path));
  }

  /**
   * What cannot be used of the files that the user has for disks.
   *
   * @param wished for the path of a disk its file
   * @param store what lies in this folder is of some snapshot, and stays as it is
   * @param work a folder within that one, of which this does not hold
   */
  static List<Refusal> obstacles(
      MachineImage image, Map<String, Path> wished, Path store, Path work) {
    List<Refusal> refusals = new ArrayList<>();
    wished.forEach(
        (path, file) -> {
          if (named(image, path) == null) {
            List<String> known = image.nodes().stream().map(BlockFile::path).toList();
            refusals.add(
                new Refusal(
                    "disk:" + path,
                    "the machine has no disk of that path",
                    known.isEmpty() ? "leave it out" : "it has " + String.join(", ", known)));
          }
          if (!Files.exists(file)) {
            refusals.add(
                new Refusal(
                    "disk:" + path + "=" + file,
                    "there is no such file",
                    "give a copy of the disk of that instant"));
          } else if (real(file).startsWith(real(store)) && !real(file).startsWith(real(work))) {
            refusals.add(
                new Refusal(
                    "disk:" + path + "=" + file,
                    "a snapshot needs it as it is",
                    "give a copy of it, or leave this out: then a copy is made"));
          }
        });
    return refusals;
  }

  private static Path real(Path path) {
    try {
      return path.toRealPath();
    } catch (IOException e) {
      // What is not there leads nowhere else.
      return path.toAbsolutePath().normalize();
    }
  }

  /** What the machine of a new QEMU has that the recorded one has not, and the other way round. */
  static List<Refusal> differences(MachineImage image, MachineRequest request, Qmp qmp) {
    List<Refusal> refusals = new ArrayList<>();
    List<Path> come = new ArrayList<>();
    files(nodes(qmp)).forEach(file -> come.add(resolved(image, file.path())));
    for (BlockFile file : image.nodes()) {
      Path other = replacement(image, request.files(), file.path());
      String wanted = other == null ? file.path() : other.toString();
      if (!come.remove(resolved(image, wanted))) {
        refusals.add(new Refusal("disk " + wanted, "the new QEMU does not use it", REMEDY));
      }
    }
    come.forEach(
        path -> refusals.add(new Refusal("disk " + path, "only the new QEMU uses it", REMEDY)));
    List<Drive> before = image.drives();
    if (before != null && refusals.isEmpty()) {
      List<Drive> now = of(qmp);
      List<Drive> gone = new ArrayList<>(before);
      gone.removeAll(now);
      now.removeAll(before);
      String others = now.isEmpty() ? "none" : now.stream().map(Drives::text).toList().toString();
      gone.forEach(each -> refusals.add(different(each, "the new QEMU has " + others)));
      if (gone.isEmpty()) {
        now.forEach(each -> refusals.add(different(each, "only the new QEMU has it")));
      }
    }
    return refusals;
  }

  private static Refusal different(Drive drive, String why) {
    return new Refusal(
        "drive " + text(drive),
        why,
        "give a disk of that length, in the format that the command line names");
  }

  private static String text(Drive drive) {
    return drive.name()
        + (drive.bytes() < 0 ? " without a medium" : " of " + drive.bytes() + " bytes")
        + (drive.readOnly() ? ", read-only" : "");
  }
}
