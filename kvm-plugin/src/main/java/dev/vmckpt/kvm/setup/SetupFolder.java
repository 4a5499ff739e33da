// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.proc.StartTime;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where files beside pids are kept: a folder for each user, gone with the next start of the
 * machine, in which nobody else can write.
 */
final class SetupFolder {
  private static final Pattern NAME =
      Pattern.compile("(\\d{1,9})-(\\d{1,19})\\.json(\\.\\d{1,9})?");
  private static final int WRITABLE_BY_OTHERS = 0022;
  private static final int OPEN_TO_OTHERS = 0077;

  private SetupFolder() {}

  /**
   * Our own folder, made if it is not there; files of processes that ended are removed.
   *
   * @param runtime what XDG_RUNTIME_DIR says, or null
   * @throws NotPermittedException if somebody else owns it or could write to it
   */
  static Path own(@Nullable String runtime) {
    int us = user(Path.of("/proc/self")).orElse(-1);
    Path folder = named(runtime, us);
    try {
      try {
        Files.createDirectory(
            folder,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      } catch (FileAlreadyExistsException e) {
        requireOurs(folder, us);
      }
      sweep(folder);
      return folder;
    } catch (IOException e) {
      throw new FailureException("the folder " + folder + " cannot be used", e);
    }
  }

  private static Path named(@Nullable String runtime, int us) {
    if (runtime != null && runtime.startsWith("/")) {
      Path given = Path.of(runtime);
      // After su or sudo it may still be somebody else's.
      if (Files.isDirectory(given) && user(given).orElse(-1) == us) {
        return given.resolve("vmckpt");
      }
    }
    return us == 0 ? Path.of("/run/vmckpt") : temporary(us);
  }

  private static Path temporary(int user) {
    return Path.of("/tmp/vmckpt-" + user);
  }

  private static void requireOurs(Path folder, int us) throws IOException {
    Map<String, Object> attributes =
        Files.readAttributes(folder, "unix:uid,mode", LinkOption.NOFOLLOW_LINKS);
    int mode = (Integer) Objects.requireNonNull(attributes.get("mode"));
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
        || !Objects.equals(attributes.get("uid"), us)
        || (mode & OPEN_TO_OTHERS) != 0) {
      throw new NotPermittedException(
          folder
              + " is no folder of yours that is closed to others: what recorded processes have set"
              + " is kept there; remove it, or set XDG_RUNTIME_DIR to a folder of your own");
    }
  }

  /**
   * Where a process' file may lie, the likeliest first: its owner and we may be two users. Only
   * folders that nobody but us, root or that owner can write to.
   */
  static List<Path> readable(int pid, @Nullable String runtime) {
    OptionalInt us = user(Path.of("/proc/self"));
    OptionalInt owner = user(Path.of("/proc/" + pid));
    Set<Path> candidates = new LinkedHashSet<>();
    if (us.isPresent()) {
      candidates.add(named(runtime, us.getAsInt()));
    }
    for (OptionalInt user : List.of(owner, us)) {
      if (user.isPresent()) {
        candidates.add(Path.of("/run/user/" + user.getAsInt() + "/vmckpt"));
        candidates.add(temporary(user.getAsInt()));
      }
    }
    candidates.add(Path.of("/run/vmckpt"));
    List<Path> folders = new ArrayList<>();
    for (Path folder : candidates) {
      if (isTrusted(folder, us, owner) && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
        folders.add(folder);
      }
    }
    return folders;
  }

  /** Whether only we, root, or the owner of the process can have written something. */
  static boolean isTrusted(Path path, OptionalInt us, OptionalInt owner) {
    try {
      Map<String, Object> attributes =
          Files.readAttributes(path, "unix:uid,mode", LinkOption.NOFOLLOW_LINKS);
      int user = (Integer) Objects.requireNonNull(attributes.get("uid"));
      int mode = (Integer) Objects.requireNonNull(attributes.get("mode"));
      boolean known = user == 0 || user == us.orElse(-1) || user == owner.orElse(-1);
      return known && (mode & WRITABLE_BY_OTHERS) == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /** The user that a file belongs to. */
  static OptionalInt user(Path path) {
    try {
      return OptionalInt.of((Integer) Files.getAttribute(path, "unix:uid"));
    } catch (IOException e) {
      return OptionalInt.empty();
    }
  }

  /** Removes what belongs to processes that are gone, and what a dead writer left behind. */
  private static void sweep(Path folder) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Matcher name = NAME.matcher(String.valueOf(file.getFileName()));
        if (!name.matches()) {
          continue;
        }
        String writer = name.group(3);
        boolean stale =
            writer != null
                ? !Files.exists(Path.of("/proc/" + writer.substring(1)))
                : !name.group(2).equals(startTime(Integer.parseInt(name.group(1))));
        if (stale) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private static String startTime(int pid) {
    return StartTime.of(pid).isPresent() ? Long.toString(StartTime.of(pid).getAsLong()) : "";
  }
}
