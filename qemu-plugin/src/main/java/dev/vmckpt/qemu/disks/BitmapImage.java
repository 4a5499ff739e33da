// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import dev.vmckpt.spi.FileRange;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/**
 * A qcow2 image that holds nothing but a bitmap: the only way to hand QEMU 7.2 a bitmap from
 * outside. It tells a backup where a file has data, so that holes are neither read nor written:
 * otherwise the backup would fill them, with zeros on the medium.
 *
 * <p>After docs/interop/qcow2.txt of QEMU. Everything is big-endian; clusters have 64 KiB.
 *
 * <pre>
 * cluster 0    header of version 3 (104 bytes), the extension that leads to bitmaps, its end
 * cluster 1    reference counts: none, QEMU does not look at them in an image it only reads
 * cluster 2    directory of bitmaps: one entry
 * cluster 3    bitmap table: where each cluster of bits lies, 0 for one that is all zeros
 * then         bits, one for each 64 KiB, the lowest first
 * at the end   L1 table: all zeros, the image itself is empty
 * </pre>
 */
final class BitmapImage {
  /** How much of the file one bit stands for, in bytes: what a backup copies at a time. */
  static final int GRANULARITY = 1 << 16;

  private static final int CLUSTER_BITS = 16;
  private static final int CLUSTER = 1 << CLUSTER_BITS;
  private static final int HEADER = 104;
  private static final int BITMAPS_EXTENSION = 0x23852875;
  private static final int SECTOR = 512;

  /** What one entry of the L1 table stands for. */
  private static final long L1_SPAN = (long) CLUSTER / Long.BYTES * CLUSTER;

  private static final int REFERENCE_COUNTS = CLUSTER;
  private static final int DIRECTORY = 2 * CLUSTER;
  private static final int TABLE = 3 * CLUSTER;

  private final String name;
  private final long length;
  private final byte[] bits;
  private final int tables;

  /**
   * @param name of the bitmap
   * @param length of the file it tells about; QEMU compares, having rounded it to sectors
   * @param data where that file has data
   */
  BitmapImage(String name, long length, List<FileRange> data) {
    this.name = name;
    this.length = roundUp(length, SECTOR);
    long count = roundUp(length, GRANULARITY) / GRANULARITY;
    bits = new byte[(int) (roundUp(count, Long.SIZE) / Byte.SIZE)];
    tables = (int) (roundUp(bits.length, CLUSTER) / CLUSTER);
    for (FileRange range : data) {
      long last = (range.end() - 1) / GRANULARITY;
      for (long bit = range.start() / GRANULARITY; bit <= last; bit++) {
        bits[(int) (bit / Byte.SIZE)] |= (byte) (1 << (bit % Byte.SIZE));
      }
    }
  }

  static long roundUp(long value, long unit) {
    return (value + unit - 1) / unit * unit;
  }

  /** Writes it as a new file, mode 0600. */
  void write(Path path) throws IOException {
    long tableBytes = roundUp((long) tables * Long.BYTES, CLUSTER);
    long bitsAt = TABLE + tableBytes;
    long levelOneAt = bitsAt + (long) tables * CLUSTER;
    long levelOne = roundUp(length, L1_SPAN) / L1_SPAN;
    try (FileChannel channel =
        FileChannel.open(
            path,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      put(channel, 0, header(levelOneAt, (int) levelOne));
      put(channel, DIRECTORY, directoryEntry());
      ByteBuffer table = ByteBuffer.allocate(tables * Long.BYTES);
      for (int i = 0; i < tables; i++) {
        table.putLong(bitsAt + (long) i * CLUSTER);
      }
      put(channel, TABLE, table.flip());
      put(channel, bitsAt, ByteBuffer.wrap(bits));
      // Makes the file as long as the tables say; what is not written reads as zeros.
      long end = levelOneAt + roundUp(levelOne * Long.BYTES, CLUSTER);
      put(channel, end - 1, ByteBuffer.allocate(1));
    }
  }

  private static void put(FileChannel channel, long at, ByteBuffer bytes) throws IOException {
    long position = at;
    while (bytes.hasRemaining()) {
      position += channel.write(bytes, position);
    }
  }

  private ByteBuffer header(long levelOneAt, int levelOne) {
    ByteBuffer header = ByteBuffer.allocate(HEADER + 8 + 24 + 8);
    header.put((byte) 'Q').put((byte) 'F').put((byte) 'I').put((byte) 0xfb).putInt(3);
    header.putLong(0).putInt(0); // no backing file
    header.putInt(CLUSTER_BITS).putLong(length).putInt(0); // not encrypted
    header.putInt(levelOne).putLong(levelOneAt);
    header.putLong(REFERENCE_COUNTS).putInt(1);
    header.putInt(0).putLong(0); // no snapshots
    header.putLong(0).putLong(0).putLong(1); // features: "the bitmaps are consistent"
    header.putInt(4).putInt(HEADER); // reference counts of 16 bits
    header.putInt(BITMAPS_EXTENSION).putInt(24);
    header.putInt(1).putInt(0).putLong(entryBytes()).putLong(DIRECTORY);
    return header.putInt(0).putInt(0).flip();
  }

  private int entryBytes() {
    return (int) roundUp(24 + name.length(), Long.BYTES);
  }

  private ByteBuffer directoryEntry() {
    ByteBuffer entry = ByteBuffer.allocate(entryBytes());
    entry.putLong(TABLE).putInt(tables);
    entry.putInt(0); // neither in use nor recording
    entry.put((byte) 1).put((byte) Integer.numberOfTrailingZeros(GRANULARITY));
    entry.putShort((short) name.length()).putInt(0);
    entry.put(name.getBytes(StandardCharsets.US_ASCII));
    return entry.clear();
  }
}
