// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Where a run happens.
 *
 * @param root the tree of vmckpt
 * @param work where images are written: on the disk that is measured
 * @param quick for what must not wait for that disk
 * @param patience how many seconds to wait for quiet neighbours before each measurement
 */
record Bench(Path root, Path work, Path quick, int patience) {
  private static int names;

  String freshName() {
    return "g" + ++names;
  }

  /** Nobody waits for the writes of somebody before, nor for the neighbours. */
  void quiet(Samples samples, ProcessHandle... ours) {
    Processes.output("sync");
    Neighbours.await(patience, samples, ours);
  }

  /** Makes a file, and its name in its folder, durable. */
  static void durable(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        FileChannel folder = FileChannel.open(file.getParent(), StandardOpenOption.READ)) {
      channel.force(true);
      folder.force(true);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void copyDisk(Path from, Path to) {
    Processes.output("cp", "--sparse=always", "--reflink=auto", from.toString(), to.toString());
  }

  static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Takes a folder's contents away, as far as they are still there. */
  static void empty(Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      List<Path> deepestFirst = all.sorted(Comparator.reverseOrder()).toList();
      for (Path path : deepestFirst) {
        if (!path.equals(folder)) {
          Files.deleteIfExists(path);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
