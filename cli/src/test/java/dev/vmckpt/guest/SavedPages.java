// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.FileIdentity;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Writes a file of pages and its table of extents as docs/image-format.md describes them, and
 * nothing else knows: areas of a process that never ran.
 */
final class SavedPages {
  static final int PAGE = 4096;
  static final String FILE = "memory/4242";

  private final Path folder;
  private final List<AreaImage> areas = new ArrayList<>();
  private final List<byte[]> extents = new ArrayList<>();
  private final RandomAccessFile file;
  private long end = PAGE;

  SavedPages(Path folder) throws IOException {
    this.folder = folder;
    Files.createDirectories(folder.resolve("memory"));
    file = new RandomAccessFile(folder.resolve(FILE).toFile(), "rw");
    byte[] header = new byte[PAGE];
    put(header, "VMCKPTPG").putInt(8, 1).putInt(12, PAGE);
    put(header, "VMCKPTPG").putInt(16, crc(header, 0, 16));
    file.write(header);
  }

  /** Adds an area of which the image holds the given pages, by their number in the area. */
  void area(
      long start,
      long bytes,
      Source source,
      @Nullable FileIdentity mapped,
      long fileOffset,
      int descriptor,
      Map<Integer, byte[]> pages)
      throws IOException {
    for (Map.Entry<Integer, byte[]> page : pages.entrySet()) {
      long offset = end + (long) PAGE * page.getKey();
      file.seek(offset);
      file.write(page.getValue());
      byte[] entry = new byte[24];
      ByteBuffer.wrap(entry)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putLong(offset)
          .putLong(page.getValue().length)
          .putInt(crc(page.getValue(), 0, page.getValue().length));
      extents.add(entry);
    }
    areas.add(
        new AreaImage(
            new RemoteAddress(start),
            new RemoteAddress(start + bytes),
            3,
            source,
            mapped,
            fileOffset,
            descriptor,
            pages.isEmpty() ? 0 : end,
            (long) PAGE * pages.size(),
            List.of(),
            null));
    if (!pages.isEmpty()) {
      end += bytes;
    }
  }

  List<AreaImage> areas() {
    return areas;
  }

  /** Ends both files and says what a manifest has to say of them. */
  Map<String, FileEntry> finish() throws IOException {
    file.setLength(end);
    file.close();
    ByteArrayOutputStream table = new ByteArrayOutputStream();
    byte[] head = new byte[24];
    put(head, "VMCKPTEX").putInt(8, 1).putInt(12, extents.size());
    table.writeBytes(head);
    for (byte[] extent : extents) {
      table.writeBytes(extent);
    }
    byte[] bytes = table.toByteArray();
    Files.write(folder.resolve(FILE + ".extents"), bytes);
    int crc = crc(bytes, 0, bytes.length);
    return Map.of(
        FILE, new FileEntry(end, crc, 0), FILE + ".extents", new FileEntry(bytes.length, crc, 0));
  }

  private static ByteBuffer put(byte[] to, String magic) {
    byte[] text = magic.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    System.arraycopy(text, 0, to, 0, text.length);
    return ByteBuffer.wrap(to).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static int crc(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    return (int) crc.getValue();
  }
}
