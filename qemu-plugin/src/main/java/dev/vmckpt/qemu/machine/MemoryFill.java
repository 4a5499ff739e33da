// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Gives a block of memory of a QEMU that has not run yet the bytes it had in a snapshot.
 *
 * <p>Only pages with something in them are written, and those that are not empty in the new QEMU,
 * so that memory the guest never used costs nothing. TCG has translated nothing yet, and KVM sees
 * what is written through the address space, so neither has to be told.
 */
final class MemoryFill implements AutoCloseable {
  private static final int PAGE = 4096;
  private static final int CHUNK = 1 << 20;

  /** Bits 63 and 62 of an entry of /proc/PID/pagemap: present, or swapped out; proc(5). */
  private static final long THERE = 3L << 62;

  private final MemorySource source;
  private final ProcessMemory target;
  private final FileChannel pageMap;
  private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
  private final ByteBuffer entries =
      ByteBuffer.allocateDirect(CHUNK / PAGE * Long.BYTES).order(ByteOrder.nativeOrder());
  private final ByteBuffer zeros = ByteBuffer.allocateDirect(PAGE);
  private long written;

  private MemoryFill(MemorySource source, ProcessMemory target, FileChannel pageMap) {
    this.source = source;
    this.target = target;
    this.pageMap = pageMap;
  }

  /**
   * @param pid of the new QEMU
   * @throws FailureException if it has ended, or we may not trace it
   */
  static MemoryFill into(int pid, MemorySource source) {
    ProcessMemory memory = ProcessMemory.open(pid, true);
    try {
      return new MemoryFill(
          source,
          memory,
          FileChannel.open(Path.of("/proc/" + pid + "/pagemap"), StandardOpenOption.READ));
    } catch (IOException e) {
      memory.close();
      throw new FailureException("the memory of QEMU " + pid + " cannot be opened: " + e, e);
    }
  }

  /**
   * Copies one block.
   *
   * @param from as it was in the snapshot
   * @param to of the same name in the new QEMU, at least as long
   */
  void fill(RamBlock from, RamBlock to) {
    for (long done = 0; done < from.used(); done += CHUNK) {
      int length = (int) Math.min(CHUNK, from.used() - done);
      chunk.clear().limit(length);
      RemoteAddress address = from.host().plus(done);
      boolean any = source.read(address, chunk);
      copy(any, length, to.host().value() + done);
    }
  }

  private void copy(boolean any, int length, long at) {
    boolean[] there = there(at, length);
    int start = -1;
    for (int page = 0; page < length; page += PAGE) {
      int end = Math.min(page + PAGE, length);
      if (any && !isZero(page, end)) {
        start = start < 0 ? page : start;
        continue;
      }
      flush(start, page, at);
      start = -1;
      if (there[page / PAGE]) {
        zeros.clear().limit(end - page);
        target.write(at + page, zeros);
      }
    }
    flush(start, length, at);
  }

  private void flush(int start, int end, long at) {
    if (start >= 0) {
      chunk.limit(end).position(start);
      target.write(at + start, chunk);
      written += end - start;
    }
  }

  private boolean isZero(int start, int end) {
    chunk.limit(chunk.capacity());
    int at = start;
    for (; at + Long.BYTES <= end; at += Long.BYTES) {
      if (chunk.getLong(at) != 0) {
        return false;
      }
    }
    for (; at < end; at++) {
      if (chunk.get(at) != 0) {
        return false;
      }
    }
    return true;
  }

  private boolean[] there(long at, int length) {
    int pages = (length + PAGE - 1) / PAGE;
    boolean[] there = new boolean[pages];
    entries.clear().limit(pages * Long.BYTES);
    try {
      for (long offset = at / PAGE * Long.BYTES; entries.hasRemaining(); ) {
        int got = pageMap.read(entries, offset);
        if (got <= 0) {
          break;
        }
        offset += got;
      }
    } catch (IOException e) {
      throw new FailureException("the pages of the new QEMU cannot be looked at: " + e, e);
    }
    for (int i = 0; i < pages; i++) {
      there[i] =
          (i + 1) * Long.BYTES > entries.position()
              || (entries.getLong(i * Long.BYTES) & THERE) != 0;
    }
    return there;
  }

  /** How many bytes were written so far, empty pages left out. */
  long written() {
    return written;
  }

  @Override
  public void close() {
    target.close();
    try {
      pageMap.close();
    } catch (IOException e) {
      // It was only read.
    }
  }
}
