// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Asks the kernel about UNIX sockets by their inode numbers, in the network namespace of a target
 * (sock_diag(7)): the only way to learn who is connected with whom.
 */
final class UnixDiag implements AutoCloseable {
  private static final int AF_NETLINK = 16;
  private static final int SOCK_RAW = 3;
  private static final int NETLINK_SOCK_DIAG = 4;
  private static final int CLONE_NEWNET = 0x40000000;

  private static final int SOCK_DIAG_BY_FAMILY = 20;
  private static final int NLM_F_REQUEST = 1;
  private static final int HEADER_BYTES = 16;
  private static final int REQUEST_BYTES = 24;
  private static final int MESSAGE_BYTES = 16;

  private static final int SHOW_VFS = 2;
  private static final int SHOW_PEER = 4;
  private static final int SHOW_RQLEN = 0x10;

  private static final int ATTRIBUTE_VFS = 1;
  private static final int ATTRIBUTE_PEER = 2;
  private static final int ATTRIBUTE_RQLEN = 4;
  private static final int ATTRIBUTE_SHUTDOWN = 6;

  private final OwnFd netlink;
  private final NativeBuffer buffer = new NativeBuffer(8192);

  /**
   * One UNIX socket.
   *
   * @param state TCP_ESTABLISHED 1, TCP_CLOSE 7, TCP_LISTEN 10
   * @param hasPeer whether it is or was connected
   * @param peer the inode of its peer, 0 when that is closed or not accepted yet
   * @param pending of a listening one, how many wait to be accepted; else unread bytes
   * @param backlog of a listening one, the second argument of listen(2)
   * @param shutdown RCV_SHUTDOWN 1, SEND_SHUTDOWN 2
   * @param fileDevice major << 32 | minor of the file it is bound to
   * @param fileInode the inode of that file, 0 for none
   */
  record Entry(
      int state,
      boolean hasPeer,
      long peer,
      int pending,
      int backlog,
      int shutdown,
      long fileDevice,
      long fileInode) {}

  private UnixDiag(OwnFd netlink) {
    this.netlink = netlink;
  }

  /**
   * Opens the conversation in the network namespace of {@code pid}; null when that is not possible.
   */
  static @Nullable UnixDiag tryOpen(int pid, OwnFd pidFd) {
    String ours = FileCalls.readLink("/proc/self/ns/net");
    String theirs = FileCalls.readLink("/proc/" + pid + "/ns/net");
    if (ours == null || ours.equals(theirs)) {
      return trySocket();
    }
    long back = FileCalls.tryOpen("/proc/thread-self/ns/net", 0, 0);
    if (back < 0) {
      return null;
    }
    try (OwnFd home = new OwnFd(back)) {
      if (FileCalls.trySetNamespace(pidFd.number(), CLONE_NEWNET) < 0) {
        return null;
      }
      try {
        return trySocket();
      } finally {
        Sys.check(
            "setns",
            "our own network namespace",
            FileCalls.trySetNamespace(home.number(), CLONE_NEWNET));
      }
    }
  }

  private static @Nullable UnixDiag trySocket() {
    long fd = SocketCalls.trySocket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
    return fd < 0 ? null : new UnixDiag(new OwnFd(fd));
  }

  /** Looks one socket up; null when the kernel knows none, or does not answer such questions. */
  @Nullable Entry tryFind(long inode) {
    ByteBuffer b = buffer.bytes();
    for (int i = 0; i < HEADER_BYTES + REQUEST_BYTES; i += 4) {
      b.putInt(i, 0);
    }
    b.putInt(0, HEADER_BYTES + REQUEST_BYTES);
    b.putShort(4, (short) SOCK_DIAG_BY_FAMILY);
    b.putShort(6, (short) NLM_F_REQUEST);
    b.put(HEADER_BYTES, (byte) SocketCalls.AF_UNIX);
    b.putInt(HEADER_BYTES + 4, -1); // all states
    b.putInt(HEADER_BYTES + 8, (int) inode);
    b.putInt(HEADER_BYTES + 12, SHOW_VFS | SHOW_PEER | SHOW_RQLEN);
    b.putLong(HEADER_BYTES + 16, -1); // no cookie
    long sent = SocketCalls.trySend(netlink.number(), buffer, 0, HEADER_BYTES + REQUEST_BYTES, 0);
    if (sent < 0) {
      return null;
    }
    long length =
        SocketCalls.tryReceive(netlink.number(), buffer, buffer.size(), SocketCalls.MSG_DONTWAIT);
    if (length < HEADER_BYTES + MESSAGE_BYTES
        || b.getShort(4) != SOCK_DIAG_BY_FAMILY
        || b.getInt(0) > length) {
      return null;
    }
    return decode(b, b.getInt(0));
  }

  /**
   * struct unix_diag_msg behind the netlink header, then attributes (length 2, type 2, value,
   * padded to 4):
   *
   * <pre>
   * 16      17    18     20     24      32
   * family  type  state  inode  cookie  attributes
   * </pre>
   */
  private static Entry decode(ByteBuffer b, int end) {
    final int state = b.get(HEADER_BYTES + 2);
    boolean hasPeer = false;
    long peer = 0;
    int pending = 0;
    int backlog = 0;
    int shutdown = 0;
    long fileDevice = 0;
    long fileInode = 0;
    int at = HEADER_BYTES + MESSAGE_BYTES;
    while (at + 4 <= end) {
      int length = b.getShort(at) & 0xffff;
      if (length < 4) {
        break;
      }
      switch (b.getShort(at + 2)) {
        case ATTRIBUTE_VFS -> {
          int device = b.getInt(at + 8);
          fileInode = b.getInt(at + 4) & 0xffffffffL;
          fileDevice = (long) (device >>> 20) << 32 | (device & 0xfffff);
        }
        case ATTRIBUTE_PEER -> {
          hasPeer = true;
          peer = b.getInt(at + 4) & 0xffffffffL;
        }
        case ATTRIBUTE_RQLEN -> {
          pending = b.getInt(at + 4);
          backlog = b.getInt(at + 8);
        }
        case ATTRIBUTE_SHUTDOWN -> shutdown = b.get(at + 4);
        default -> {}
      }
      at += (length + 3) & ~3;
    }
    return new Entry(state, hasPeer, peer, pending, backlog, shutdown, fileDevice, fileInode);
  }

  @Override
  public void close() {
    netlink.close();
  }
}
