// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What was sent to a socket and not read yet: read without taking it, and sent again. */
final class UnreadMessages {
  private static final int SO_PEEK_OFF = 42;
  private static final int FIRST_BUFFER = 262144;
  private static final int MOST_MESSAGES = 100_000;
  private static final int EMSGSIZE = 90;

  private UnreadMessages() {}

  /**
   * Reads what waits, message by message; of a stream, in one piece. The socket's SO_PEEK_OFF is
   * put back.
   *
   * @param readShut whether nothing more can come: then an empty message is the end
   */
  static List<byte[]> peek(OwnFd duplicate, int type, boolean readShut) {
    int fd = duplicate.number();
    long unread = FileCalls.tryUnread(fd);
    if (unread <= 0 && type == SocketCalls.SOCK_STREAM) {
      return List.of();
    }
    int before = SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SO_PEEK_OFF, -1);
    boolean steps = SocketCalls.trySetOption(fd, SocketCalls.SOL_SOCKET, SO_PEEK_OFF, 0) >= 0;
    try {
      return type == SocketCalls.SOCK_STREAM
          ? peekStream(fd, (int) unread, steps)
          : peekMessages(fd, steps, readShut);
    } finally {
      if (steps) {
        SocketCalls.trySetOption(fd, SocketCalls.SOL_SOCKET, SO_PEEK_OFF, before);
      }
    }
  }

  private static List<byte[]> peekStream(int fd, int unread, boolean steps) {
    byte[] bytes = new byte[unread];
    NativeBuffer buffer = new NativeBuffer(unread);
    int have = 0;
    while (have < unread) {
      long got = receive(fd, buffer, 0);
      if (got <= 0) {
        break;
      }
      buffer.bytes().get(0, bytes, have, Math.min((int) got, unread - have));
      have += (int) got;
      if (!steps) {
        break; // TCP gives all of it at once
      }
    }
    return have == unread ? List.of(bytes) : List.of(Arrays.copyOf(bytes, have));
  }

  private static List<byte[]> peekMessages(int fd, boolean steps, boolean readShut) {
    List<byte[]> messages = new ArrayList<>();
    NativeBuffer buffer = new NativeBuffer(FIRST_BUFFER);
    int offset = 0;
    while (true) {
      long length = receive(fd, buffer, SocketCalls.MSG_TRUNC);
      if (length > buffer.size()) {
        buffer = new NativeBuffer((int) length);
        SocketCalls.trySetOption(fd, SocketCalls.SOL_SOCKET, SO_PEEK_OFF, offset);
        continue;
      }
      if (length < 0 || (length == 0 && (readShut || messages.size() == MOST_MESSAGES))) {
        return List.copyOf(messages);
      }
      messages.add(buffer.copy(0, (int) length));
      offset += (int) length;
      if (!steps) {
        return List.copyOf(messages);
      }
    }
  }

  private static long receive(int fd, NativeBuffer buffer, int flags) {
    return SocketCalls.tryReceive(
        fd, buffer, buffer.size(), flags | SocketCalls.MSG_PEEK | SocketCalls.MSG_DONTWAIT);
  }

  /** Sends messages from the other end. */
  static void send(OwnFd peer, List<byte[]> messages, String name) {
    int fd = peer.number();
    int room = SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SocketOptions.SO_SNDBUF, 0);
    int locks = SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SocketOptions.SO_BUF_LOCK, 0);
    boolean enlarged = false;
    for (byte[] message : messages) {
      NativeBuffer buffer = NativeBuffer.ofBytes(message);
      int sent = 0;
      do {
        long result =
            SocketCalls.trySend(
                fd,
                buffer,
                sent,
                message.length - sent,
                SocketCalls.MSG_DONTWAIT | SocketCalls.MSG_NOSIGNAL);
        if ((result == -Errno.EAGAIN || result == -EMSGSIZE) && !enlarged) {
          SocketOptions.roomToSend(peer, totalBytes(messages));
          enlarged = true;
        } else {
          sent += (int) Sys.check("send", "unread data of " + name, result);
        }
      } while (sent < message.length);
    }
    if (enlarged) {
      SocketOptions.roomToSend(peer, room / 2);
      SocketCalls.trySetOption(fd, SocketCalls.SOL_SOCKET, SocketOptions.SO_BUF_LOCK, locks);
    }
  }

  /** Room for all of it, with what the kernel adds to each message. */
  private static int totalBytes(List<byte[]> messages) {
    long total = 65536;
    for (byte[] message : messages) {
      total += 2L * message.length + 4096;
    }
    return (int) Math.min(total, Integer.MAX_VALUE / 2);
  }
}
