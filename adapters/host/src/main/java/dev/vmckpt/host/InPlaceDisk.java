// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.DiskFile;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * Puts a saved disk back under its original path: copied beside it, written to the medium, renamed
 * over it. At every instant the whole old disk or the whole saved one stands there.
 */
final class InPlaceDisk {
  private final DiskFile state;
  private final HuskOpener husk;
  private final ReattachContext context;

  InPlaceDisk(DiskFile state, HuskOpener husk) {
    this.state = state;
    this.husk = husk;
    this.context = husk.context();
  }

  /** Puts it back, the first time in a restore. */
  void putBack() {
    Path marker =
        context.work().resolve(DiskFiles.workingCopy(state.copy(), context) + ".in-place");
    if (Files.exists(marker)) {
      return;
    }
    Path path = Path.of(state.path());
    refuseIfInUse(path);
    Path beside = path.resolveSibling("." + path.getFileName() + ".vmckpt-" + context.husk().pid());
    try {
      Files.deleteIfExists(beside);
      try {
        context.cloner().copy(context.snapshot().resolve(state.copy()), beside);
        ownLikeOriginal(beside);
        sync(beside, StandardOpenOption.WRITE);
        Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(beside);
      }
      Path folder = path.getParent();
      if (folder != null) {
        sync(folder, StandardOpenOption.READ);
      }
      Files.createFile(marker);
    } catch (IOException e) {
      throw new FailureException("The saved disk cannot be put back as " + path, e);
    }
    context.note(state.path() + ": the saved disk is back in its place");
  }

  private void refuseIfInUse(Path path) {
    FileId original = FileId.tryOf(path);
    if (original == null) {
      return;
    }
    String writer = Writers.tryFind(original, context.husk().pid());
    if (writer != null) {
      throw husk.refused(
          state.path(),
          "is open for writing in " + writer,
          "end that process, or leave --in-place out to work on a copy");
    }
  }

  private void ownLikeOriginal(Path copy) throws IOException {
    if (!owner(copy, "uid", state.user()) || !owner(copy, "gid", state.group())) {
      husk.note(state.path(), "comes back as a file of your own, its owner cannot be set");
    }
    Files.setAttribute(copy, "unix:mode", state.mode());
  }

  private static boolean owner(Path file, String attribute, int id) throws IOException {
    Object now = Files.getAttribute(file, "unix:" + attribute);
    if (now instanceof Integer is && is == id) {
      return true;
    }
    try {
      Files.setAttribute(file, "unix:" + attribute, id);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static void sync(Path file, StandardOpenOption mode) throws IOException {
    try (FileChannel channel = FileChannel.open(file, mode)) {
      channel.force(true);
    }
  }

  /** Who writes to a file. */
  private static final class Writers {
    private static final int ACCESS = 3;

    private Writers() {}

    /** A process that has a file open for writing, {@code 4711 (name)}, other than one. */
    static @Nullable String tryFind(FileId file, int except) {
      try (var processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
        for (Path process : processes) {
          if (!process.getFileName().toString().equals(Integer.toString(except))
              && writes(process, file)) {
            return process.getFileName() + " (" + name(process) + ")";
          }
        }
      } catch (IOException e) {
        throw new FailureException("The processes of this machine cannot be listed", e);
      }
      return null;
    }

    private static boolean writes(Path process, FileId file) {
      try (var numbers = Files.newDirectoryStream(process.resolve("fd"))) {
        for (Path number : numbers) {
          if (file.equals(FileId.tryOf(number))
              && (flags(process, number.getFileName()) & ACCESS) != 0) {
            return true;
          }
        }
      } catch (IOException | java.nio.file.DirectoryIteratorException e) {
        return false; // gone, or none of our business
      }
      return false;
    }

    private static int flags(Path process, Path number) {
      try {
        for (String line : Files.readAllLines(process.resolve("fdinfo").resolve(number))) {
          if (line.startsWith("flags:")) {
            return Integer.parseInt(line.substring("flags:".length()).strip(), 8);
          }
        }
      } catch (IOException e) {
        return 0; // closed since
      }
      return 0;
    }

    private static String name(Path process) {
      try {
        return Files.readString(process.resolve("comm")).strip();
      } catch (IOException e) {
        return "?";
      }
    }
  }
}
