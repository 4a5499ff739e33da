// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.memory.AreaPlan.Content;
import dev.vmckpt.ckpt.memory.PagesFile.Extent;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Writes the pages of one process into its file of pages: read once, checksummed and searched for
 * zero pages on the way, by as many threads as there are processors.
 *
 * <p>Shared areas must be written by {@link #copyShared} inside the pause; all others by {@link
 * #write}, from a forked child or, inside the pause, from the target itself.
 */
public final class PagesWriter implements AutoCloseable {
  private static final int CHUNK = 1 << 20;
  private static final int O_RDWR = 2;
  private static final int SYNC_FILE_RANGE = 277;
  private static final int SYNC_FILE_RANGE_WRITE = 2;
  private static final int MAX_WORKERS = 4;

  private final String pagesFile;
  private final Path folder;
  private final OwnFd file;
  private final List<Chunk> done = new ArrayList<>();
  private final Map<ProcArea, Placed> placed = new HashMap<>();
  private long end = PagesFile.HEADER_BYTES;
  private long copiedShared;

  /**
   * Creates the file.
   *
   * @param folder the folder of the snapshot
   * @param innerPid the number of the process in its own pid namespace
   */
  public PagesWriter(Path folder, int innerPid) throws IOException {
    this.folder = folder;
    pagesFile = PagesFile.pathOf(innerPid);
    Path path = folder.resolve(pagesFile);
    Files.createDirectories(
        folder.resolve(PagesFile.FOLDER),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Files.createFile(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.write(path, PagesFile.header().array());
    file = FileCalls.open(path.toString(), O_RDWR, 0);
  }

  /** The path of the file within the folder of the snapshot. */
  public String pagesFile() {
    return pagesFile;
  }

  /** Where an area begins in the file, and how much of it lies there. */
  private record Placed(long imageOffset, long dataBytes) {}

  /** A piece of memory to write, and after that what was written of it. */
  private static final class Chunk {
    final long address;
    final int length;
    final long offset;

    /** Whether a page that is not in the image comes back as zeros, and not from a file. */
    final boolean holesAreZeros;

    final List<Extent> written = new ArrayList<>(1);

    Chunk(long address, int length, long offset, boolean holesAreZeros) {
      this.address = address;
      this.length = length;
      this.offset = offset;
      this.holesAreZeros = holesAreZeros;
    }
  }

  /**
   * Writes the shared areas, inside the pause.
   *
   * @param pid the frozen target
   */
  public void copyShared(int pid, AddressSpacePlan plan, ProcessMemory memory) {
    List<Chunk> chunks = new ArrayList<>();
    for (AreaPlan area : plan.areas()) {
      if (area.content() == Content.SHARED) {
        try (FileData data = new FileData(pid, area.area().start(), area.area().end())) {
          place(
              area,
              data.find(area.area().start(), area.area().end(), area.area().offset()),
              chunks);
        }
      }
    }
    if (!chunks.isEmpty()) {
      new Pass(memory, chunks, ProgressListener.SILENT).run(1);
      done.addAll(chunks);
      for (Placed place : placed.values()) {
        copiedShared += place.dataBytes();
      }
    }
  }

  /** The bytes that {@link #copyShared} found. */
  public long copiedShared() {
    return copiedShared;
  }

  /**
   * Writes all other areas.
   *
   * @param pid whose memory it is: the forked child, or the frozen target
   * @param original the target, whose mapped files can be looked at
   * @throws FailureException if the file cannot be written, for example because the disk is full
   */
  public void write(
      int pid,
      int original,
      AddressSpacePlan plan,
      boolean pagemapScan,
      ProgressListener progress) {
    List<Chunk> chunks = new ArrayList<>();
    long bytes = 0;
    try (PageScan scan = new PageScan(pid, pagemapScan);
        ProcessMemory memory = new ProcessMemory(pid)) {
      for (AreaPlan area : plan.areas()) {
        Extents extents = data(area, scan, original, pid);
        if (extents != null && extents.count() > 0) {
          place(area, extents, chunks);
          bytes += extents.bytes();
        }
      }
      progress.begin("writing memory", bytes);
      new Pass(memory, chunks, progress)
          .run(Math.min(MAX_WORKERS, Runtime.getRuntime().availableProcessors()));
      done.addAll(chunks);
    }
  }

  private static @Nullable Extents data(AreaPlan plan, PageScan scan, int original, int pid) {
    ProcArea area = plan.area();
    switch (plan.content()) {
      case OWN -> {
        return scan.find(area.start(), area.end());
      }
      case OWN_AND_IMAGE -> {
        try (FileData image = file(area, original, pid)) {
          return scan.find(area.start(), area.end())
              .union(image.find(area.start(), area.end(), area.offset()));
        }
      }
      case WHOLE_FILE -> {
        try (FileData mapped = file(area, original, pid)) {
          long there = mapped.length() - area.offset();
          long last = area.start() + (there + PageScan.PAGE - 1) / PageScan.PAGE * PageScan.PAGE;
          Extents whole = new Extents();
          whole.add(area.start(), Math.min(area.end(), last));
          return whole.union(scan.find(area.start(), area.end()));
        }
      }
      default -> {
        return null;
      }
    }
  }

  /** The target goes on, and may have cut or unmapped the area by now; its child never does. */
  private static FileData file(ProcArea area, int original, int pid) {
    try {
      return new FileData(original, area.start(), area.end());
    } catch (SyscallException changed) {
      return new FileData(pid, area.start(), area.end());
    }
  }

  private void place(AreaPlan plan, Extents extents, List<Chunk> chunks) {
    ProcArea area = plan.area();
    placed.put(area, new Placed(end, extents.bytes()));
    // Between pages of a file nothing of the process' own may be read; in anonymous memory there
    // are zeros.
    boolean bridge =
        plan.source() == AreaImage.Source.ANONYMOUS && plan.content() != Content.WHOLE_FILE;
    boolean holesAreZeros = plan.source() != AreaImage.Source.FILE;
    Extents pieces = bridge ? extents.bridged(ZeroPages.HOLE_MINIMUM) : extents;
    for (int i = 0; i < pieces.count(); i++) {
      for (long at = pieces.start(i); at < pieces.end(i); at += CHUNK) {
        int length = (int) Math.min(CHUNK, pieces.end(i) - at);
        chunks.add(new Chunk(at, length, end + at - area.start(), holesAreZeros));
      }
    }
    end += area.end() - area.start();
  }

  /**
   * Ends the file, writes the table of extents, and says what there is.
   *
   * @param files is told the checksums of both files
   * @return the areas, ascending
   */
  public List<AreaImage> finish(
      AddressSpacePlan plan, Map<Integer, Integer> fileIds, Map<String, FileEntry> files)
      throws IOException {
    Sys.call("ftruncate", pagesFile, Nr.FTRUNCATE, file.number(), end, 0);
    List<Extent> extents = new ArrayList<>();
    done.sort(BY_OFFSET);
    for (Chunk chunk : done) {
      extents.addAll(chunk.written);
    }
    byte[] table = PagesFile.encode(extents.toArray(new Extent[0]));
    Path path = folder.resolve(pagesFile + PagesFile.EXTENTS_SUFFIX);
    Files.createFile(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.write(path, table);
    int crc = PagesFile.crc(table, table.length);
    files.put(pagesFile, new FileEntry(end, crc, 0));
    files.put(pagesFile + PagesFile.EXTENTS_SUFFIX, new FileEntry(table.length, crc, 0));
    List<AreaImage> images = new ArrayList<>();
    for (AreaPlan area : plan.areas()) {
      Placed place = placed.get(area.area());
      int descriptor = area.descriptor() < 0 ? -1 : fileIds.getOrDefault(area.descriptor(), -1);
      images.add(
          AreaImages.of(
              area,
              descriptor,
              place == null ? 0 : place.imageOffset(),
              place == null ? 0 : place.dataBytes()));
    }
    return images;
  }

  private static final java.util.Comparator<Chunk> BY_OFFSET =
      java.util.Comparator.comparingLong(PagesWriter::offsetOf);

  private static long offsetOf(Chunk chunk) {
    return chunk.offset;
  }

  /** Bytes of memory that were found to hold data. */
  public long dataBytes() {
    long sum = 0;
    for (Placed place : placed.values()) {
      sum += place.dataBytes();
    }
    return sum;
  }

  @Override
  public void close() {
    file.close();
  }

  /**
   * One pass over a list of chunks by several threads, each taking the next that nobody has taken.
   */
  private final class Pass implements Runnable {
    private final ProcessMemory memory;
    private final List<Chunk> chunks;
    private final ProgressListener progress;
    private final AtomicInteger next = new AtomicInteger();
    private volatile @Nullable RuntimeException failure;

    Pass(ProcessMemory memory, List<Chunk> chunks, ProgressListener progress) {
      this.memory = memory;
      this.chunks = chunks;
      this.progress = progress;
    }

    void run(int workers) {
      List<Thread> helpers = new ArrayList<>();
      for (int i = 1; i < workers; i++) {
        Thread helper = new Thread(this, "vmckpt-writer-" + i);
        helper.setDaemon(true);
        helper.start();
        helpers.add(helper);
      }
      run();
      for (Thread helper : helpers) {
        joinUninterruptibly(helper);
      }
      RuntimeException problem = failure;
      if (problem != null) {
        throw problem;
      }
    }

    private void joinUninterruptibly(Thread helper) {
      boolean interrupted = false;
      while (true) {
        try {
          helper.join();
          break;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void run() {
      NativeBuffer buffer = new NativeBuffer(CHUNK);
      try {
        for (int i = next.getAndIncrement(); i < chunks.size(); i = next.getAndIncrement()) {
          if (failure != null) {
            return;
          }
          copy(chunks.get(i), buffer);
          synchronized (progress) {
            progress.advance(chunks.get(i).length);
          }
        }
      } catch (IOException e) {
        failure =
            new FailureException(
                "the pages of the target cannot be written to "
                    + folder.resolve(pagesFile)
                    + ": "
                    + e.getMessage(),
                e);
      } catch (RuntimeException e) {
        failure = e;
      }
    }

    private void copy(Chunk chunk, NativeBuffer buffer) throws IOException {
      int got = 0;
      while (got < chunk.length) {
        long result =
            memory.tryRead(chunk.address + got, buffer.address() + got, chunk.length - got);
        if (result <= 0) {
          if (result == 0 || result == -Errno.ESRCH) {
            throw new TargetGoneException("the target went away while its memory was written");
          }
          throw new FailureException(
              "the target's memory at "
                  + new RemoteAddress(chunk.address + got)
                  + " cannot be read: "
                  + Errno.describe((int) -result));
        }
        got += (int) result;
      }
      boolean skip = chunk.holesAreZeros;
      int start = skip ? ZeroPages.skipZeros(buffer, 0, chunk.length) : 0;
      while (start < chunk.length) {
        int end = skip ? ZeroPages.endOfData(buffer, start, chunk.length) : chunk.length;
        put(chunk, buffer, start, end - start);
        start = ZeroPages.skipZeros(buffer, end, chunk.length);
      }
      if (!chunk.written.isEmpty()) {
        // The disk is busy while we read on, instead of waiting for the fsync at the end.
        Sys.tryCall(
            SYNC_FILE_RANGE,
            file.number(),
            chunk.offset,
            chunk.length,
            SYNC_FILE_RANGE_WRITE,
            0,
            0);
      }
    }

    private void put(Chunk chunk, NativeBuffer buffer, int start, int length) throws IOException {
      CRC32C crc = new CRC32C();
      crc.update(buffer.bytes().duplicate().limit(start + length).position(start));
      long offset = chunk.offset + start;
      for (int done = 0; done < length; ) {
        long put =
            Sys.tryCall(
                Nr.PWRITE64,
                file.number(),
                buffer.address() + start + done,
                length - done,
                offset + done,
                0,
                0);
        if (put <= 0) {
          throw new IOException(Errno.describe((int) -put));
        }
        done += (int) put;
      }
      chunk.written.add(new Extent(offset, length, (int) crc.getValue()));
    }
  }
}
