// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * The state of all devices and processors, as QEMU saves it; numbers are big-endian.
 *
 * <pre>
 *   "QEVM"  u32 3                                        the head
 *   u8 4  u32 id  u8 n  name[n]  u32 instance  u32 version  …  u8 0x7e  u32 id     one section
 *   u8 0                                                 the end
 * </pre>
 *
 * <p>No section tells its length; its end is found by its foot, which repeats the id, and by what
 * must come next: a section with a higher id, or the end. (migration/savevm.c of QEMU.)
 */
public final class DeviceState {
  private static final int MAGIC = 0x5145564d;
  private static final int VERSION = 3;
  private static final int HEAD = 8;
  private static final int END = 0;
  private static final int START = 1;
  private static final int FULL = 4;
  private static final int DESCRIPTION = 6;
  private static final int CONFIGURATION = 7;
  private static final int FOOT = 0x7e;
  private static final int RAM_VERSION = 4;
  private static final int RAM_SIZES = 0x04;
  private static final int RAM_END = 0x10;
  private static final int RAM_ID = 0x7fff_fff0;

  private final List<Section> sections;

  private DeviceState(List<Section> sections) {
    this.sections = List.copyOf(sections);
  }

  /**
   * The state of one device.
   *
   * @param name for example {@code cpu} or {@code 0000:00:02.0/virtio-blk}
   * @param instance tells devices of one name apart
   * @param version of its layout
   * @param bytes all of it, from its type to its foot
   * @param dataOffset where in them the data begins
   */
  public record Section(String name, int instance, int version, byte[] bytes, int dataOffset) {
    /** The same with other data of the same length. */
    Section changed(Consumer<ByteBuffer> change) {
      byte[] copy = bytes.clone();
      change.accept(ByteBuffer.wrap(copy, dataOffset, copy.length - dataOffset).slice());
      return new Section(name, instance, version, copy, dataOffset);
    }

    /** Its data and its foot. */
    ByteBuffer data() {
      return ByteBuffer.wrap(bytes, dataOffset, bytes.length - dataOffset).slice();
    }
  }

  /**
   * Takes a state apart.
   *
   * @throws SnapshotException if it is none
   */
  public static DeviceState parse(byte[] all) {
    ByteBuffer in = ByteBuffer.wrap(all);
    if (all.length < HEAD || in.getInt() != MAGIC || in.getInt() != VERSION) {
      throw corrupt("does not begin as a state of QEMU does");
    }
    List<Section> sections = new ArrayList<>();
    int at = HEAD;
    while (at < all.length && all[at] == FULL) {
      int end = endOf(all, at);
      sections.add(section(all, at, end));
      at = end;
    }
    if (at != all.length - 1 || all[at] != END) {
      throw corrupt("is not in order at byte " + at);
    }
    return new DeviceState(sections);
  }

  private static Section section(byte[] all, int at, int end) {
    int nameLength = all[at + 5] & 0xff;
    int dataOffset = 1 + 4 + 1 + nameLength + 8;
    if (dataOffset > end - at) {
      throw corrupt("has a section without room for its name at byte " + at);
    }
    ByteBuffer in = ByteBuffer.wrap(all);
    int instance = in.getInt(at + 6 + nameLength);
    return new Section(
        new String(all, at + 6, nameLength, StandardCharsets.UTF_8),
        instance,
        in.getInt(at + 10 + nameLength),
        Arrays.copyOfRange(all, at, end),
        dataOffset);
  }

  private static int endOf(byte[] all, int at) {
    ByteBuffer in = ByteBuffer.wrap(all);
    if (all.length - at < 6) {
      throw corrupt("is cut short");
    }
    int id = in.getInt(at + 1);
    for (int foot = at + 6; foot + 6 <= all.length; foot++) {
      if (all[foot] != FOOT || in.getInt(foot + 1) != id) {
        continue;
      }
      int next = foot + 5;
      boolean last = all[next] == END && next + 1 == all.length;
      boolean followed = all[next] == FULL && next + 5 <= all.length && in.getInt(next + 1) > id;
      if (last || followed) {
        return next;
      }
    }
    throw corrupt("has a section without an end at byte " + at);
  }

  private static SnapshotException corrupt(String how) {
    return new SnapshotException(Fault.CORRUPT, "the state of the machine " + how);
  }

  /** The sections in their order, which is that of loading. */
  public List<Section> sections() {
    return sections;
  }

  /** Those of a name, in their order. */
  List<Section> named(String name) {
    List<Section> named = new ArrayList<>();
    for (Section section : sections) {
      if (section.name().equals(name)) {
        named.add(section);
      }
    }
    return named;
  }

  /** The same without the sections of a name. */
  DeviceState without(String name) {
    List<Section> others = new ArrayList<>(sections);
    others.removeIf(section -> section.name().equals(name));
    return with(others);
  }

  /** The same with other sections. */
  DeviceState with(List<Section> others) {
    return new DeviceState(others);
  }

  /**
   * What {@code migrate-incoming} reads: this, with the name of the machine before it, which QEMU
   * then compares with its own, and with the sizes of the blocks of memory, to which it grows or
   * shrinks those that can be. No page of them is sent.
   *
   * @param machine for example {@code pc-i440fx-7.2}
   */
  public byte[] incoming(String machine, List<RamBlock> ram) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 16);
    put(out, MAGIC);
    put(out, VERSION);
    out.write(CONFIGURATION);
    byte[] name = machine.getBytes(StandardCharsets.UTF_8);
    put(out, name.length);
    out.writeBytes(name);
    putSizes(out, ram);
    for (Section section : sections) {
      out.writeBytes(section.bytes());
    }
    out.write(END);
    byte[] description = "{}".getBytes(StandardCharsets.UTF_8);
    out.write(DESCRIPTION);
    put(out, description.length);
    out.writeBytes(description);
    return out.toByteArray();
  }

  /** The first section of memory, with nothing in it but names and lengths (migration/ram.c). */
  private static void putSizes(ByteArrayOutputStream out, List<RamBlock> ram) {
    long total = 0;
    for (RamBlock block : ram) {
      total += block.used();
    }
    out.write(START);
    put(out, RAM_ID);
    out.write(3);
    out.writeBytes("ram".getBytes(StandardCharsets.US_ASCII));
    put(out, 0);
    put(out, RAM_VERSION);
    put(out, total | RAM_SIZES);
    for (RamBlock block : ram) {
      byte[] name = block.name().getBytes(StandardCharsets.UTF_8);
      out.write(name.length);
      out.writeBytes(name);
      put(out, block.used());
    }
    put(out, (long) RAM_END);
    out.write(FOOT);
    put(out, RAM_ID);
  }

  private static void put(ByteArrayOutputStream out, int number) {
    out.writeBytes(ByteBuffer.allocate(Integer.BYTES).putInt(number).array());
  }

  private static void put(ByteArrayOutputStream out, long number) {
    out.writeBytes(ByteBuffer.allocate(Long.BYTES).putLong(number).array());
  }
}
