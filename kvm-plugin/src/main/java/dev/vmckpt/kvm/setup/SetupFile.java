// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.proc.StartTime;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * The file beside a pid: {@code PID-STARTTIME.json} in $XDG_RUNTIME_DIR/vmckpt, else /run/vmckpt
 * for root, else /tmp/vmckpt-UID. A pid that was used again finds nothing, nor does one of another
 * start of the machine.
 */
public final class SetupFile {
  private static final int FORMAT = 1;
  private static final int MAX_BYTES = 16 << 20;
  private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

  /**
   * The file's content.
   *
   * @param format the number of its format
   * @param boot the start of the machine it belongs to (/proc/sys/kernel/random/boot_id)
   * @param pid the process
   * @param startTime when it began, in clock ticks since the machine's start
   * @param setup what it has set
   */
  record Content(int format, String boot, int pid, long startTime, SetupImage setup) {}

  private SetupFile() {}

  /**
   * What is known of how a process set its virtual machines up.
   *
   * @return empty if nobody recorded it
   * @throws SnapshotException if there is a file and it cannot be used; the message says what to do
   */
  public static Optional<SetupImage> find(int pid) {
    OptionalLong start = StartTime.of(pid);
    if (start.isEmpty()) {
      return Optional.empty();
    }
    OptionalInt us = SetupFolder.user(Path.of("/proc/self"));
    OptionalInt owner = SetupFolder.user(Path.of("/proc/" + pid));
    for (Path folder : SetupFolder.readable(pid, System.getenv("XDG_RUNTIME_DIR"))) {
      Path file = folder.resolve(name(pid, start.getAsLong()));
      if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
          || !SetupFolder.isTrusted(file, us, owner)) {
        continue;
      }
      Content content = parse(bytes(file), file.toString());
      if (content.boot().equals(boot())
          && content.pid() == pid
          && content.startTime() == start.getAsLong()) {
        return Optional.of(content.setup());
      }
    }
    return Optional.empty();
  }

  /**
   * Keeps what a process has set; what was kept of it before is replaced, at once and as a whole.
   *
   * @return the file
   * @throws TargetGoneException if there is no such process
   * @throws FailureException if the file cannot be written
   * @throws dev.vmckpt.spi.error.NotPermittedException if the folder for it is not ours alone
   */
  public static Path write(int pid, SetupImage setup) {
    long start =
        StartTime.of(pid).orElseThrow(() -> new TargetGoneException("there is no process " + pid));
    byte[] json = RecordJson.write(new Content(FORMAT, boot(), pid, start, setup));
    Path file = SetupFolder.own(System.getenv("XDG_RUNTIME_DIR")).resolve(name(pid, start));
    Path draft = file.resolveSibling(file.getFileName() + "." + ProcessHandle.current().pid());
    try {
      Files.deleteIfExists(draft);
      try (var channel =
          Files.newByteChannel(
              draft,
              EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
        Channels.newOutputStream(channel).write(json);
      }
      Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (FileAlreadyExistsException e) {
      throw new FailureException(draft + " is being written by somebody else", e);
    } catch (IOException e) {
      throw new FailureException(file + " cannot be written", e);
    }
    return file;
  }

  /**
   * Reads a file's content.
   *
   * @param source the file's name, for the message
   * @throws SnapshotException in one sentence, whatever the bytes are
   */
  static Content parse(byte[] json, String source) {
    try {
      requireFormat(json, source);
      Content content = RecordJson.read(json, 0, json.length, Content.class, source);
      content.setup().machines().forEach(SetupChecks::check);
      return content;
    } catch (IllegalArgumentException e) {
      throw new SnapshotException(
          SnapshotException.Fault.CORRUPT, source + " does not fit together; remove it", e);
    }
  }

  /** The format can be told from whatever a later version writes behind it. */
  private static void requireFormat(byte[] json, String source) {
    JsonTree tree = RecordJson.read(json, 0, json.length, JsonTree.class, source);
    if (tree.value() instanceof Map<?, ?> fields
        && fields.get("format") instanceof Long format
        && format != FORMAT) {
      boolean older = format < FORMAT;
      throw new SnapshotException(
          older ? SnapshotException.Fault.TOO_OLD : SnapshotException.Fault.TOO_NEW,
          source
              + " has format "
              + format
              + " and this version reads "
              + FORMAT
              + "; remove it, and what was recorded is not known any more");
    }
  }

  private static byte[] bytes(Path file) {
    try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new SnapshotException(
            SnapshotException.Fault.CORRUPT, file + " is too long to be one of ours; remove it");
      }
      return bytes;
    } catch (IOException e) {
      throw new SnapshotException(
          SnapshotException.Fault.CORRUPT, file + " cannot be read; remove it", e);
    }
  }

  private static String name(int pid, long startTime) {
    return pid + "-" + startTime + ".json";
  }

  private static String boot() {
    try {
      return Files.readString(BOOT_ID, StandardCharsets.US_ASCII).strip();
    } catch (IOException e) {
      // No such file in some containers: the start time alone must do.
      return "";
    }
  }
}
