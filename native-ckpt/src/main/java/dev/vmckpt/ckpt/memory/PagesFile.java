// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.image.FileEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * The file of pages {@code memory/PID} and, beside it, the table of its extents {@code
 * memory/PID.extents}.
 *
 * <pre>
 * memory/PID           0 "VMCKPTPG"   8 format u32   12 page size u32   16 CRC32C of bytes 0–15 u32
 *                   4096 the pages of the areas, each area linear from its imageOffset on; holes are zeros
 * memory/PID.extents   0 "VMCKPTEX"   8 format u32   12 number of extents u32   16 zero u64
 *                     24 + 24·i   offset u64   length u64   CRC32C u32   zero u32     ascending by offset
 * </pre>
 *
 * All numbers are little-endian. Every byte of data lies in exactly one extent.
 */
public final class PagesFile {
  /** The folder, within the folder of a snapshot, that holds files of pages. */
  public static final String FOLDER = "memory";

  /** What is added to the path of a file of pages for the path of its table of extents. */
  public static final String EXTENTS_SUFFIX = ".extents";

  static final byte[] MAGIC = "VMCKPTPG".getBytes(StandardCharsets.ISO_8859_1);
  static final int HEADER_BYTES = 4096;

  private static final byte[] EXTENTS_MAGIC = "VMCKPTEX".getBytes(StandardCharsets.ISO_8859_1);
  private static final int FORMAT = 1;
  private static final int EXTENTS_HEADER_BYTES = 24;
  private static final int ENTRY_BYTES = 24;

  private PagesFile() {}

  /** The path of the file of pages of a process, within the folder of a snapshot. */
  public static String pathOf(int pid) {
    return FOLDER + "/" + pid;
  }

  /** One run of data. */
  record Extent(long offset, long length, int crc32c) {}

  /** The header page of a file of pages. */
  static ByteBuffer header() {
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.put(0, MAGIC).putInt(8, FORMAT).putInt(12, PageScan.PAGE);
    header.putInt(16, crc(header.array(), 16));
    return header;
  }

  /** The whole table of extents. */
  static byte[] encode(Extent[] extents) {
    ByteBuffer table =
        ByteBuffer.allocate(EXTENTS_HEADER_BYTES + ENTRY_BYTES * extents.length)
            .order(ByteOrder.LITTLE_ENDIAN);
    table.put(0, EXTENTS_MAGIC).putInt(8, FORMAT).putInt(12, extents.length);
    for (int i = 0; i < extents.length; i++) {
      int at = EXTENTS_HEADER_BYTES + ENTRY_BYTES * i;
      table.putLong(at, extents[i].offset()).putLong(at + 8, extents[i].length());
      table.putInt(at + 16, extents[i].crc32c());
    }
    return table.array();
  }

  static int crc(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  /**
   * Reads a table of extents and checks it against its file of pages, header and length of both.
   *
   * @param folder the folder of the snapshot
   * @param pagesFile the path of the file of pages within it
   * @throws SnapshotException if either is missing, damaged or of another format
   */
  static Extent[] readExtents(Path folder, String pagesFile) {
    Path pages = folder.resolve(pagesFile);
    Path path = folder.resolve(pagesFile + EXTENTS_SUFFIX);
    try {
      byte[] head = new byte[HEADER_BYTES];
      long pagesLength = Files.size(pages);
      try (FileChannel channel = FileChannel.open(pages, StandardOpenOption.READ)) {
        if (channel.read(ByteBuffer.wrap(head), 0) < HEADER_BYTES) {
          throw corrupt(pages, "is cut short");
        }
      }
      ByteBuffer header = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN);
      checkHead(header, MAGIC, pages);
      if (header.getInt(16) != crc(head, 16) || header.getInt(12) != PageScan.PAGE) {
        throw corrupt(pages, "has a damaged header");
      }
      ByteBuffer table = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
      checkHead(table, EXTENTS_MAGIC, path);
      int count = table.getInt(12);
      if (count < 0 || table.capacity() != EXTENTS_HEADER_BYTES + (long) ENTRY_BYTES * count) {
        throw corrupt(path, "has another length than its number of extents asks for");
      }
      if (table.getLong(16) != 0) {
        throw corrupt(path, "has a damaged header");
      }
      Extent[] extents = new Extent[count];
      long end = HEADER_BYTES;
      for (int i = 0; i < count; i++) {
        int at = EXTENTS_HEADER_BYTES + ENTRY_BYTES * i;
        extents[i] = new Extent(table.getLong(at), table.getLong(at + 8), table.getInt(at + 16));
        if (table.getInt(at + 20) != 0
            || extents[i].offset() < end
            || extents[i].length() <= 0
            || extents[i].length() > pagesLength - extents[i].offset()) {
          throw corrupt(path, "has an extent out of place, number " + i);
        }
        end = extents[i].offset() + extents[i].length();
      }
      return extents;
    } catch (NoSuchFileException e) {
      throw new SnapshotException(Fault.MISSING, e.getFile() + " is missing from the snapshot");
    } catch (IOException e) {
      throw new SnapshotException(Fault.CORRUPT, pages + " cannot be read", e);
    }
  }

  /**
   * Reads all data of a file of pages and checks it.
   *
   * @param folder the folder of the snapshot
   * @param pagesFile the path of the file of pages within it
   * @param entry what the manifest says of it
   * @throws SnapshotException if anything of it or of its table of extents is not as written
   */
  public static void verify(
      Path folder, String pagesFile, FileEntry entry, ProgressListener progress) {
    Path pages = folder.resolve(pagesFile);
    Extent[] extents = readExtents(folder, pagesFile);
    byte[] table = encode(extents);
    try (FileChannel channel = FileChannel.open(pages, StandardOpenOption.READ)) {
      if (channel.size() != entry.bytes()) {
        throw corrupt(pages, "has " + channel.size() + " bytes and should have " + entry.bytes());
      }
      if (crc(table, table.length) != entry.crc32c()) {
        throw corrupt(pages.resolveSibling(pages.getFileName() + EXTENTS_SUFFIX), "is damaged");
      }
      progress.begin("checking " + pagesFile, bytes(extents));
      ByteBuffer buffer = new NativeBuffer(1 << 20).bytes();
      for (Extent extent : extents) {
        CRC32C crc = new CRC32C();
        for (long done = 0; done < extent.length(); ) {
          buffer.clear().limit((int) Math.min(buffer.capacity(), extent.length() - done));
          int got = channel.read(buffer, extent.offset() + done);
          if (got <= 0) {
            throw corrupt(pages, "is cut short");
          }
          crc.update(buffer.flip());
          done += got;
        }
        if ((int) crc.getValue() != extent.crc32c()) {
          throw corrupt(
              pages,
              "is damaged between offsets "
                  + extent.offset()
                  + " and "
                  + (extent.offset() + extent.length()));
        }
        progress.advance(extent.length());
      }
    } catch (IOException e) {
      throw new SnapshotException(Fault.CORRUPT, pages + " cannot be read", e);
    }
  }

  static long bytes(Extent[] extents) {
    long sum = 0;
    for (Extent extent : extents) {
      sum += extent.length();
    }
    return sum;
  }

  private static void checkHead(ByteBuffer head, byte[] magic, Path file) {
    if (head.capacity() < EXTENTS_HEADER_BYTES) {
      throw corrupt(file, "is cut short");
    }
    for (int i = 0; i < magic.length; i++) {
      if (head.get(i) != magic[i]) {
        throw new SnapshotException(
            Fault.FOREIGN, file + " was not written by vmckpt, or is damaged at its start");
      }
    }
    int format = head.getInt(8);
    if (format != FORMAT) {
      throw new SnapshotException(
          format > FORMAT ? Fault.TOO_NEW : Fault.TOO_OLD,
          file + " has format " + format + ", this vmckpt reads " + FORMAT);
    }
  }

  private static SnapshotException corrupt(Path file, String problem) {
    return new SnapshotException(Fault.CORRUPT, file + " " + problem);
  }
}
