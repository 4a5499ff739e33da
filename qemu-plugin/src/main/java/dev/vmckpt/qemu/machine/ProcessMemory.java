// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** The memory of a QEMU that runs, by /proc/PID/mem; proc(5). */
final class ProcessMemory implements AutoCloseable {
  private final int pid;
  private final FileChannel channel;

  private ProcessMemory(int pid, FileChannel channel) {
    this.pid = pid;
    this.channel = channel;
  }

  /**
   * One area of an address space.
   *
   * @param end the address behind it
   * @param access for example {@code rw-p}
   * @param name a path, a name in brackets, or empty
   */
  record Area(long start, long end, String access, String name) {}

  /**
   * Opens it.
   *
   * @throws FailureException if it has ended, or we may not trace it
   */
  static ProcessMemory open(int pid, boolean writing) {
    Path path = Path.of("/proc/" + pid + "/mem");
    try {
      return new ProcessMemory(
          pid,
          writing
              ? FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)
              : FileChannel.open(path, StandardOpenOption.READ));
    } catch (IOException e) {
      throw new FailureException("the memory of QEMU " + pid + " cannot be opened: " + e, e);
    }
  }

  /** All areas, ascending. */
  List<Area> areas() {
    List<Area> areas = new ArrayList<>();
    try {
      for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/maps"))) {
        String[] words = line.split(" +", 6);
        int dash = words[0].indexOf('-');
        areas.add(
            new Area(
                Long.parseUnsignedLong(words[0].substring(0, dash), 16),
                Long.parseUnsignedLong(words[0].substring(dash + 1), 16),
                words[1],
                words.length > 5 ? words[5] : ""));
      }
    } catch (IOException e) {
      throw new FailureException("QEMU " + pid + " is gone: " + e, e);
    }
    return areas;
  }

  /** Fills what room the buffer has, from an address on; false if not all of it can be read. */
  boolean tryRead(long address, ByteBuffer to) {
    try {
      for (long at = address; to.hasRemaining(); ) {
        int got = channel.read(to, at);
        if (got <= 0) {
          return false;
        }
        at += got;
      }
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Writes all that is in the buffer.
   *
   * @throws FailureException if nothing is mapped there, or it has ended
   */
  void write(long address, ByteBuffer from) {
    try {
      for (long at = address; from.hasRemaining(); ) {
        at += channel.write(from, at);
      }
    } catch (IOException e) {
      throw new FailureException(
          "memory of QEMU " + pid + " at " + Long.toHexString(address) + ": " + e, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      // What was written is in the memory of another process: closing loses nothing.
    }
  }
}
