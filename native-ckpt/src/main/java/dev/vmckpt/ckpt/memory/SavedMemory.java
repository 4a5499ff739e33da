// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.memory.PagesFile.Extent;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.FileIdentity;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The memory of a saved process, read without restoring it: from the file of pages, from the pages
 * of a memfd, and from the files that private mappings were made of, exactly as a restore would
 * find it.
 */
public final class SavedMemory implements AutoCloseable {
  private static final int SEEK_DATA = 3;
  private static final byte[] ZEROS = new byte[PageScan.PAGE];

  private final Path folder;
  private final Path pages;
  private final Extent[] extents;
  private final TreeMap<Long, AreaImage> areas = new TreeMap<>(Long::compareUnsigned);
  private final Map<Integer, DescriptorImage> descriptors = new HashMap<>();
  private final Map<Path, FileChannel> channels = new HashMap<>();
  private final Map<Path, OwnFd> seekable = new HashMap<>();

  /**
   * @param folder the folder of the snapshot
   * @param files the open file descriptions of the same process
   * @throws SnapshotException if the file of pages is missing, damaged or of another format
   */
  public SavedMemory(Path folder, MemoryImage image, List<OpenFileImage> files) {
    this.folder = folder;
    pages = folder.resolve(image.pagesFile());
    extents = PagesFile.readExtents(folder, image.pagesFile());
    for (AreaImage area : image.areas()) {
      areas.put(area.start().value(), area);
    }
    for (OpenFileImage file : files) {
      descriptors.put(file.id(), file.object());
    }
  }

  /**
   * What there is from an address on.
   *
   * @param bytes how far that goes, at least 1; at most to the end of the address space
   * @param mapped whether memory was mapped there
   */
  public record Span(long bytes, boolean mapped) {}

  /** What there was at an address, and how far the same goes on. */
  public Span at(RemoteAddress from) {
    AreaImage area = areaAt(from.value());
    if (area != null) {
      return new Span(area.end().value() - from.value(), true);
    }
    Long next = areas.higherKey(from.value());
    return new Span(next == null ? Long.MAX_VALUE : next - from.value(), false);
  }

  /**
   * What keeps a range from being read: files that are not as they were, and memory that the
   * snapshot does not hold because an adapter makes it again.
   */
  public List<Refusal> obstacles(RemoteAddress from, long bytes) {
    List<Refusal> refusals = new ArrayList<>();
    long last = from.value() + bytes - 1;
    Long first = areas.floorKey(from.value());
    for (AreaImage area : areas.tailMap(first == null ? from.value() : first).values()) {
      if (Long.compareUnsigned(area.start().value(), last) > 0) {
        break;
      }
      if (Long.compareUnsigned(area.end().value(), from.value()) <= 0) {
        continue;
      }
      FileIdentity file = area.file();
      String difference = file != null && fromFile(area) ? FileIdentities.difference(file) : "";
      if (file != null && !difference.isEmpty()) {
        refusals.add(
            new Refusal(
                "file " + file.path(),
                "it holds a part of the memory, and " + difference,
                "put back the version of "
                    + file.bytes()
                    + " bytes that the snapshot was taken with"));
      }
      if (area.source() == Source.DESCRIPTOR && memFd(area) == null) {
        refusals.add(
            new Refusal(
                "area " + area.start(),
                "its memory is that of a device, and no snapshot holds it",
                "there is no way to read it but restoring the snapshot"));
      }
    }
    return refusals;
  }

  /**
   * Reads as much as the buffer has room for. Where nothing was mapped there are zeros.
   *
   * @return false if it is all zeros and the snapshot says so without being read
   * @throws SnapshotException if a file of the snapshot is missing or cut short
   */
  public boolean read(RemoteAddress from, ByteBuffer to) {
    int begin = to.position();
    boolean any = false;
    while (to.hasRemaining()) {
      long at = from.value() + (to.position() - begin);
      Span span = at(new RemoteAddress(at));
      int length = (int) Math.min(span.bytes(), to.remaining());
      AreaImage area = areaAt(at);
      ByteBuffer part = to.duplicate();
      part.limit(part.position() + length);
      if (area == null) {
        zero(part);
      } else {
        any |= read(area, at - area.start().value(), part);
      }
      to.position(to.position() + length);
    }
    return any;
  }

  private @Nullable AreaImage areaAt(long address) {
    Map.Entry<Long, AreaImage> entry = areas.floorEntry(address);
    return entry != null && Long.compareUnsigned(address, entry.getValue().end().value()) < 0
        ? entry.getValue()
        : null;
  }

  private static boolean fromFile(AreaImage area) {
    return area.source() == Source.FILE || area.source() == Source.SHARED_FILE;
  }

  private DescriptorImage.@Nullable MemFd memFd(AreaImage area) {
    return descriptors.get(area.descriptor()) instanceof DescriptorImage.MemFd memory
        ? memory
        : null;
  }

  private boolean read(AreaImage area, long offset, ByteBuffer to) {
    if (area.source() == Source.DESCRIPTOR) {
      DescriptorImage.MemFd memory = memFd(area);
      if (memory == null) {
        zero(to);
        return false;
      }
      return readSparse(folder.resolve(memory.pagesFile()), area.fileOffset() + offset, to);
    }
    boolean any = false;
    FileIdentity file = area.file();
    if (fromFile(area) && file != null) {
      readFully(Path.of(file.path()), area.fileOffset() + offset, to.duplicate());
      any = true;
    } else {
      zero(to.duplicate());
    }
    return (area.dataBytes() > 0 && overlay(area.imageOffset() + offset, to)) || any;
  }

  /** Puts what the file of pages holds of a range over what is there. */
  private boolean overlay(long offset, ByteBuffer to) {
    long limit = offset + to.remaining();
    int base = to.position();
    boolean any = false;
    for (int i = firstExtentBehind(offset); i < extents.length; i++) {
      long start = Math.max(offset, extents[i].offset());
      long end = Math.min(limit, extents[i].offset() + extents[i].length());
      if (start >= limit) {
        break;
      }
      ByteBuffer part = to.duplicate();
      part.limit(base + (int) (end - offset)).position(base + (int) (start - offset));
      int missing = read(pages, start, part);
      if (missing > 0) {
        throw new SnapshotException(Fault.CORRUPT, pages + " is cut short");
      }
      any = true;
    }
    return any;
  }

  /** The first extent that ends behind an offset. */
  private int firstExtentBehind(long offset) {
    int low = 0;
    int high = extents.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (extents[middle].offset() + extents[middle].length() <= offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private boolean readSparse(Path file, long offset, ByteBuffer to) {
    OwnFd fd = seekable.get(file);
    if (fd == null) {
      long opened = FileCalls.tryOpen(file.toString(), 0, 0);
      if (opened == -Errno.ENOENT) {
        throw missing(file);
      }
      fd = new OwnFd(Sys.check("open", file.toString(), opened));
      seekable.put(file, fd);
    }
    long data = Sys.tryCall(Nr.LSEEK, fd.number(), offset, SEEK_DATA);
    if (data < 0 || data >= offset + to.remaining()) {
      zero(to);
      return false;
    }
    readFully(file, offset, to);
    return true;
  }

  /** Reads a file; behind its end there are zeros. */
  private void readFully(Path file, long offset, ByteBuffer to) {
    if (read(file, offset, to) > 0) {
      zero(to);
    }
  }

  /** Reads a file as far as it goes; returns how many bytes are missing at its end. */
  private int read(Path file, long offset, ByteBuffer to) {
    try {
      FileChannel channel = channels.get(file);
      if (channel == null) {
        channel = FileChannel.open(file, StandardOpenOption.READ);
        channels.put(file, channel);
      }
      for (long at = offset; to.hasRemaining(); ) {
        int got = channel.read(to, at);
        if (got <= 0) {
          break;
        }
        at += got;
      }
      return to.remaining();
    } catch (NoSuchFileException e) {
      throw missing(file);
    } catch (IOException e) {
      throw new FailureException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static SnapshotException missing(Path file) {
    return new SnapshotException(Fault.MISSING, file + " is missing");
  }

  private static void zero(ByteBuffer to) {
    while (to.hasRemaining()) {
      to.put(ZEROS, 0, Math.min(ZEROS.length, to.remaining()));
    }
  }

  @Override
  public void close() {
    for (OwnFd fd : seekable.values()) {
      fd.close();
    }
    for (FileChannel channel : channels.values()) {
      try {
        channel.close();
      } catch (IOException e) {
        // It was only read: there is nothing to lose.
      }
    }
  }
}
