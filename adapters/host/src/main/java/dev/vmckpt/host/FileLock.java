// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.FdInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.StringTokenizer;
import org.jspecify.annotations.Nullable;

/**
 * A lock on a file, as a {@code lock:} line of fdinfo tells it.
 *
 * @param owner who it belongs to
 * @param exclusive a write lock
 * @param start its first byte
 * @param length its bytes, 0 for all up to the end however far it moves
 * @param fd the lowest number of the description it was taken through
 */
record FileLock(Owner owner, boolean exclusive, long start, long length, int fd) {
  /** Whom a lock belongs to. */
  enum Owner {
    /** An open file description, by fcntl(F_OFD_SETLK). */
    OFD,
    /** A process, by fcntl(F_SETLK): gone as soon as it closes any descriptor of that file. */
    POSIX,
    /** An open file description, by flock(2). */
    FLOCK
  }

  /** The size of struct flock. */
  static final int STRUCT_BYTES = 32;

  private static final int TYPE = 0;
  private static final int START = 8;
  private static final int LENGTH = 16;
  private static final short F_RDLCK = 0;
  private static final short F_WRLCK = 1;
  private static final String LINE = "lock:";

  /** The locks an fdinfo names; leases are none. */
  static List<FileLock> of(FdInfo info, int fd) {
    List<FileLock> locks = new ArrayList<>();
    for (String line : info.lines()) {
      FileLock lock = parse(line, fd);
      if (lock != null) {
        locks.add(lock);
      }
    }
    return locks;
  }

  /** Whether an fdinfo names a lease (fcntl(F_SETLEASE)). */
  static boolean hasLease(FdInfo info) {
    for (String line : info.lines()) {
      if (line.startsWith(LINE) && (line.contains(" LEASE ") || line.contains(" DELEG "))) {
        return true;
      }
    }
    return false;
  }

  /** Reads {@code lock: 1: OFDLCK ADVISORY READ -1 fe:00:5678 0 EOF}; null for any other line. */
  static @Nullable FileLock parse(String line, int fd) {
    if (!line.startsWith(LINE)) {
      return null;
    }
    StringTokenizer words = new StringTokenizer(line.substring(LINE.length()));
    if (words.countTokens() < 8) {
      return null;
    }
    words.nextToken(); // its number
    Owner owner = owner(words.nextToken());
    if (owner == null) {
      return null;
    }
    words.nextToken(); // ADVISORY
    boolean exclusive = words.nextToken().equals("WRITE");
    words.nextToken(); // the process, -1 for a description
    words.nextToken(); // major:minor:inode
    long start = Long.parseLong(words.nextToken());
    String end = words.nextToken();
    long length = end.equals("EOF") ? 0 : Long.parseLong(end) - start + 1;
    return new FileLock(owner, exclusive, start, length, fd);
  }

  private static @Nullable Owner owner(String word) {
    if (word.equals("OFDLCK")) {
      return Owner.OFD;
    }
    if (word.equals("POSIX")) {
      return Owner.POSIX;
    }
    return word.equals("FLOCK") ? Owner.FLOCK : null;
  }

  /**
   * struct flock of x86-64 (include/uapi/asm-generic/fcntl.h):
   *
   * <pre>
   *  0        2          4        8         16        24      28     32
   *  +--------+----------+--------+---------+---------+-------+------+
   *  | l_type | l_whence |  pad   | l_start | l_len   | l_pid | pad  |
   *  +--------+----------+--------+---------+---------+-------+------+
   * </pre>
   */
  byte[] struct() {
    byte[] bytes = new byte[STRUCT_BYTES];
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(TYPE, exclusive ? F_WRLCK : F_RDLCK)
        .putLong(START, start)
        .putLong(LENGTH, length);
    return bytes;
  }
}
