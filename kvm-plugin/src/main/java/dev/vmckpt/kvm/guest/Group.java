// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The bytes of one group of a vcpu's or a vm's state, read as x86-64 lays numbers out. */
final class Group {
  private final String name;
  private final ByteBuffer bytes;

  private Group(String name, byte[] bytes) {
    this.name = name;
    this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * A group that may have been left out.
   *
   * @param owner whose it is: {@code vcpu:0}
   */
  static @Nullable Group find(Map<String, byte[]> groups, String owner, String name) {
    byte[] bytes = groups.get(name);
    return bytes == null ? null : new Group(owner + ", group " + name, bytes);
  }

  /**
   * A group that must be there.
   *
   * @throws SnapshotException if it is not
   */
  static Group get(Map<String, byte[]> groups, String owner, String name) {
    Group group = find(groups, owner, name);
    if (group == null) {
      throw new SnapshotException(
          Fault.CORRUPT, "the snapshot's record of " + owner + " has no group " + name);
    }
    return group;
  }

  /**
   * Itself, if it is as long as its structure.
   *
   * @throws SnapshotException if it is not
   */
  Group ofLength(long expected) {
    if (bytes.capacity() != expected) {
      throw wrong("has " + bytes.capacity() + " bytes and should have " + expected);
    }
    return this;
  }

  /** Itself, if it is at least that long. */
  Group atLeast(int expected) {
    if (bytes.capacity() < expected) {
      throw wrong("has " + bytes.capacity() + " bytes and should have at least " + expected);
    }
    return this;
  }

  /**
   * The number of entries that follow a header, which says it in its first four bytes.
   *
   * @throws SnapshotException if the group is not as long as that asks for
   */
  int entries(int headerBytes, int entryBytes) {
    long count = u32(atLeast(headerBytes), 0);
    ofLength(headerBytes + count * entryBytes);
    return (int) count;
  }

  private static long u32(Group group, int at) {
    return group.bytes.getInt(at) & 0xffffffffL;
  }

  int length() {
    return bytes.capacity();
  }

  int u8(int at) {
    return bytes.get(at) & 0xff;
  }

  boolean flag(int at) {
    return bytes.get(at) != 0;
  }

  int u16(int at) {
    return bytes.getShort(at) & 0xffff;
  }

  int s32(int at) {
    return bytes.getInt(at);
  }

  long u32(int at) {
    return u32(this, at);
  }

  long u64(int at) {
    return bytes.getLong(at);
  }

  byte[] copy() {
    return bytes.array().clone();
  }

  SnapshotException wrong(String problem) {
    return new SnapshotException(
        Fault.CORRUPT, "the snapshot's record of " + name + " is damaged: it " + problem);
  }
}
