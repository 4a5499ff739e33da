// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.guest.VcpuState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * An ELF core of a guest (elf(5)): ET_CORE, EM_X86_64.
 *
 * <pre>
 * 0     ELF header, 64 bytes
 * 64    program headers, 56 bytes each: one PT_NOTE, then a PT_LOAD for each range
 * …     the notes
 * …     one section header, 64 bytes, if there are more program headers than 65534: it counts them
 * 4096k the memory: every range of guest-physical memory once, one behind the other; pages of
 *       zeros are holes
 * </pre>
 *
 * Ranges may show the same memory more than once, as page tables do; the bytes are there once.
 */
public final class ElfCore {
  static final int HEADER_BYTES = 64;
  static final int PROGRAM_HEADER_BYTES = 56;
  private static final int SECTION_HEADER_BYTES = 64;
  private static final int ET_CORE = 4;
  private static final int EM_X86_64 = 62;
  private static final int PT_LOAD = 1;
  private static final int PT_NOTE = 4;
  private static final int PN_XNUM = 0xffff;
  private static final int PAGE = 4096;
  private static final int CHUNK = 1 << 20;
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(PAGE);

  private final GuestMemory memory;
  private final List<VcpuState> vcpus;
  private final List<Mapping> ranges;
  private final List<GuestRange> needed;
  private final TreeMap<Long, Long> offsets = new TreeMap<>();

  /**
   * @param ranges what there is to see; all of it must be in memory
   */
  public ElfCore(List<VcpuState> vcpus, GuestMemory memory, List<Mapping> ranges) {
    this.vcpus = vcpus;
    this.memory = memory;
    this.ranges = ranges;
    needed = union(ranges);
    long offset = 0;
    for (GuestRange range : needed) {
      offsets.put(range.gpa(), offset);
      offset += range.bytes();
    }
  }

  /** The bytes of guest memory in it, holes included. */
  public long memoryBytes() {
    long bytes = 0;
    for (GuestRange range : needed) {
      bytes += range.bytes();
    }
    return bytes;
  }

  /** How many ranges can be seen in it. */
  public int ranges() {
    return ranges.size();
  }

  /** The memory behind some ranges: ascending, nothing of it twice. */
  private static List<GuestRange> union(List<Mapping> ranges) {
    List<Mapping> sorted = new ArrayList<>(ranges);
    sorted.sort(Comparator.comparingLong(Mapping::gpa));
    List<GuestRange> union = new ArrayList<>();
    for (Mapping range : sorted) {
      int last = union.size() - 1;
      if (last >= 0 && range.gpa() <= union.get(last).end()) {
        long start = union.get(last).gpa();
        long end = Math.max(union.get(last).end(), range.gpa() + range.bytes());
        union.set(last, new GuestRange(start, end - start));
      } else {
        union.add(new GuestRange(range.gpa(), range.bytes()));
      }
    }
    return union;
  }

  /**
   * Writes it into an empty file.
   *
   * @return how many bytes of memory were written; the others are holes
   */
  public long write(FileChannel file, ProgressListener progress) throws IOException {
    byte[] notes = CoreNotes.of(vcpus);
    boolean many = ranges.size() + 1 >= PN_XNUM;
    long notesAt = HEADER_BYTES + (long) PROGRAM_HEADER_BYTES * (ranges.size() + 1);
    long sectionAt = (notesAt + notes.length + 7) & ~7L;
    long end = many ? sectionAt + SECTION_HEADER_BYTES : sectionAt;
    long memoryAt = (end + PAGE - 1) & -PAGE;

    ByteBuffer head = ByteBuffer.allocate((int) end).order(ByteOrder.LITTLE_ENDIAN);
    head.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    head.putShort((short) ET_CORE).putShort((short) EM_X86_64).putInt(1);
    head.putLong(0).putLong(HEADER_BYTES).putLong(many ? sectionAt : 0).putInt(0);
    head.putShort((short) HEADER_BYTES).putShort((short) PROGRAM_HEADER_BYTES);
    head.putShort((short) (many ? PN_XNUM : ranges.size() + 1));
    head.putShort((short) (many ? SECTION_HEADER_BYTES : 0)).putShort((short) (many ? 1 : 0));
    head.putShort((short) 0);
    programHeader(head, PT_NOTE, 0, notesAt, 0, 0, notes.length, 4);
    for (Mapping range : ranges) {
      programHeader(
          head,
          PT_LOAD,
          range.access(),
          memoryAt + offset(range.gpa()),
          range.linear(),
          range.gpa(),
          range.bytes(),
          PAGE);
    }
    head.put(notes);
    if (many) {
      // In the section header without a type, sh_info is the real number of program headers.
      head.putInt((int) sectionAt + 44, ranges.size() + 1);
    }
    writeFully(file, head.position(0), 0);
    long written = writeMemory(file, memoryAt, progress);
    long length = memoryAt + memoryBytes();
    if (file.size() < length) {
      // What stands behind the last page that is not zero is a hole too.
      writeFully(file, ByteBuffer.allocate(1), length - 1);
    }
    return written;
  }

  private static void programHeader(
      ByteBuffer to,
      int type,
      int flags,
      long offset,
      long linear,
      long gpa,
      long bytes,
      int align) {
    to.putInt(type).putInt(flags).putLong(offset).putLong(linear).putLong(gpa);
    to.putLong(bytes).putLong(type == PT_NOTE ? 0 : bytes).putLong(align);
  }

  /** Where an address lies behind the beginning of the memory in the file. */
  private long offset(long gpa) {
    Map.Entry<Long, Long> entry = offsets.floorEntry(gpa);
    return entry == null ? 0 : entry.getValue() + (gpa - entry.getKey());
  }

  private long writeMemory(FileChannel file, long at, ProgressListener progress)
      throws IOException {
    progress.begin("writing guest memory", memoryBytes());
    ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    long offset = at;
    long written = 0;
    for (GuestRange range : needed) {
      for (long done = 0; done < range.bytes(); ) {
        int length = (int) Math.min(CHUNK, range.bytes() - done);
        chunk.clear().limit(length);
        if (memory.read(range.gpa() + done, chunk)) {
          written += writePages(file, chunk.flip(), offset + done);
        }
        progress.advance(length);
        done += length;
      }
      offset += range.bytes();
    }
    return written;
  }

  private static long writePages(FileChannel file, ByteBuffer chunk, long offset)
      throws IOException {
    int length = chunk.remaining();
    long written = 0;
    for (int start = 0; start < length; ) {
      int end = start;
      while (end < length && !isZero(chunk, end)) {
        end += PAGE;
      }
      if (end > start) {
        writeFully(file, chunk.duplicate().position(start).limit(end), offset + start);
        written += end - start;
      }
      start = end + PAGE;
    }
    return written;
  }

  private static boolean isZero(ByteBuffer chunk, int page) {
    return chunk.getLong(page) == 0 && chunk.slice(page, PAGE).mismatch(ZEROS.slice(0, PAGE)) < 0;
  }

  private static void writeFully(FileChannel file, ByteBuffer bytes, long at) throws IOException {
    for (long place = at; bytes.hasRemaining(); ) {
      place += file.write(bytes, place);
    }
  }
}
