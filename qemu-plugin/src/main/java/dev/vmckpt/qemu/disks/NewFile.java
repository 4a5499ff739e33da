// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import dev.vmckpt.spi.FileRange;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/** The file that a backup is written to. */
final class NewFile {
  private static final int CHUNK = 1 << 20;

  private NewFile() {}

  /** Makes an empty file, mode 0600. Kept open, so that a failed write-back is told to us. */
  static FileChannel create(Path path) throws IOException {
    return FileChannel.open(
        path,
        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
  }

  /**
   * Copies parts of a file that somebody may be writing to: what is written meanwhile may come out
   * either way, and what is cut off is left out.
   *
   * @param from may be a {@code /proc/PID/fd/N}
   */
  static void fill(FileChannel file, Path from, List<FileRange> ranges) throws IOException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    try (FileChannel source = FileChannel.open(from)) {
      for (FileRange range : ranges) {
        long at = range.start();
        while (at < range.end()) {
          chunk.clear().limit((int) Math.min(CHUNK, range.end() - at));
          if (source.read(chunk, at) < 0) {
            break;
          }
          chunk.flip();
          while (chunk.hasRemaining()) {
            at += file.write(chunk, at);
          }
        }
      }
    }
  }

  /** Gives a file its length: what is added is one hole. */
  static void setLength(Path path, long length) throws IOException {
    // A channel lengthens a file only by writing to it.
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(length);
    }
  }

  /** Takes back a file that nobody got to write to. */
  static void tryDelete(Path path) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      // It lies in the folder of a snapshot, which whoever copies there next will tell.
    }
  }

  /** Whether a process has a file open. */
  static boolean isOpenIn(int pid, Path path) throws IOException {
    FileKey wanted = FileKey.tryOf(path);
    try (DirectoryStream<Path> numbers =
        Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path number : numbers) {
        if (wanted != null && wanted.equals(FileKey.tryOf(number))) {
          return true;
        }
      }
      return false;
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
  }
}
