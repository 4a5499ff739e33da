// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.image.DescriptorImage.SocketOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The options of sockets: those are carried in which a socket differs from a fresh one of its kind.
 */
final class SocketOptions {
  private static final int SOL_SOCKET = 1;
  static final int SO_SNDBUF = 7;
  private static final int SO_RCVBUF = 8;
  private static final int SO_SNDBUFFORCE = 32;
  private static final int SO_RCVBUFFORCE = 33;
  static final int SO_BUF_LOCK = 72;
  private static final int LOCKED_SEND = 1;
  private static final int LOCKED_RECEIVE = 2;

  /** Level, name, bytes. */
  private static final int[][] ANY = {
    {SOL_SOCKET, 2, 4}, // SO_REUSEADDR
    {SOL_SOCKET, 6, 4}, // SO_BROADCAST
    {SOL_SOCKET, SO_SNDBUF, 4},
    {SOL_SOCKET, SO_RCVBUF, 4},
    {SOL_SOCKET, 9, 4}, // SO_KEEPALIVE
    {SOL_SOCKET, 10, 4}, // SO_OOBINLINE
    {SOL_SOCKET, 12, 4}, // SO_PRIORITY
    {SOL_SOCKET, 13, 8}, // SO_LINGER
    {SOL_SOCKET, 15, 4}, // SO_REUSEPORT
    {SOL_SOCKET, 18, 4}, // SO_RCVLOWAT
    {SOL_SOCKET, 20, 16}, // SO_RCVTIMEO
    {SOL_SOCKET, 21, 16}, // SO_SNDTIMEO
    {SOL_SOCKET, 25, 16}, // SO_BINDTODEVICE
    {SOL_SOCKET, 36, 4}, // SO_MARK
  };

  private static final int[][] UNIX = {
    {SOL_SOCKET, 16, 4}, // SO_PASSCRED
    {SOL_SOCKET, 34, 4}, // SO_PASSSEC
  };

  private static final int[][] TCP = {
    {6, 1, 4}, // TCP_NODELAY
    {6, 3, 4}, // TCP_CORK
    {6, 4, 4}, // TCP_KEEPIDLE
    {6, 5, 4}, // TCP_KEEPINTVL
    {6, 6, 4}, // TCP_KEEPCNT
    {6, 7, 4}, // TCP_SYNCNT
    {6, 9, 4}, // TCP_DEFER_ACCEPT
    {6, 18, 4}, // TCP_USER_TIMEOUT
  };

  private static final int[][] INET = {
    {0, 1, 4}, // IP_TOS
    {0, 2, 4}, // IP_TTL
    {0, 8, 4}, // IP_PKTINFO
    {0, 15, 4}, // IP_FREEBIND
    {0, 19, 4}, // IP_TRANSPARENT
  };

  /** Of datagram sockets alone: others have a value, but do not let it be set. */
  private static final int[][] INET_DATAGRAM = {
    {0, 33, 4}, // IP_MULTICAST_TTL
    {0, 34, 4}, // IP_MULTICAST_LOOP
  };

  private static final int[][] INET6 = {
    {41, 16, 4}, // IPV6_UNICAST_HOPS
    {41, 26, 4}, // IPV6_V6ONLY
    {41, 49, 4}, // IPV6_RECVPKTINFO
    {41, 67, 4}, // IPV6_TCLASS
  };

  private final Map<Integer, List<SocketOption>> fresh = new HashMap<>();

  /** Looks at a fresh socket of this kind, so that this need not be done in the pause. */
  void learn(SocketFacts kind) {
    Integer key = key(kind);
    if (fresh.containsKey(key)) {
      return;
    }
    long fd = SocketCalls.trySocket(kind.domain(), kind.type(), kind.protocol());
    if (fd < 0) {
      fresh.put(key, List.of());
      return;
    }
    try (OwnFd socket = new OwnFd(fd)) {
      fresh.put(key, read(socket, kind));
    }
  }

  /** The options in which a socket differs from a fresh one. */
  List<SocketOption> changed(OwnFd duplicate, SocketFacts kind) {
    List<SocketOption> options = read(duplicate, kind);
    List<SocketOption> defaults = fresh.getOrDefault(key(kind), List.of());
    int locked = SocketCalls.intOption(duplicate.number(), SOL_SOCKET, SO_BUF_LOCK, -1);
    List<SocketOption> changed = new ArrayList<>();
    for (SocketOption option : options) {
      boolean send = option.level() == SOL_SOCKET && option.name() == SO_SNDBUF;
      boolean receive = option.level() == SOL_SOCKET && option.name() == SO_RCVBUF;
      if ((send || receive) && locked >= 0) {
        // The kernel grows buffers by itself until somebody sets them.
        if ((locked & (send ? LOCKED_SEND : LOCKED_RECEIVE)) != 0) {
          changed.add(option);
        }
      } else if (!contains(defaults, option)) {
        changed.add(option);
      }
    }
    return List.copyOf(changed);
  }

  /** Sets options of a socket of a husk. */
  static void apply(OwnFd duplicate, List<SocketOption> options, String name, HuskFiles husk) {
    for (SocketOption option : options) {
      long result = -Errno.EPERM;
      if (option.level() == SOL_SOCKET && option.name() == SO_SNDBUF) {
        result = set(duplicate, SO_SNDBUFFORCE, option);
      } else if (option.level() == SOL_SOCKET && option.name() == SO_RCVBUF) {
        result = set(duplicate, SO_RCVBUFFORCE, option);
      }
      if (result < 0) {
        result = set(duplicate, option.name(), option);
      }
      if (result < 0) {
        husk.note(
            name
                + ": socket option "
                + option.level()
                + "/"
                + option.name()
                + " could not be set again: "
                + Errno.describe((int) -result));
      }
    }
  }

  /** Makes room for {@code bytes} more to send than the kernel would allow by itself. */
  static void roomToSend(OwnFd socket, int bytes) {
    byte[] value = SocketCalls.bytesOf(bytes);
    if (SocketCalls.trySetOption(socket.number(), SOL_SOCKET, SO_SNDBUFFORCE, value) < 0) {
      SocketCalls.trySetOption(socket.number(), SOL_SOCKET, SO_SNDBUF, value);
    }
  }

  private static long set(OwnFd socket, int name, SocketOption option) {
    return SocketCalls.trySetOption(socket.number(), option.level(), name, option.value());
  }

  private static List<SocketOption> read(OwnFd socket, SocketFacts kind) {
    List<SocketOption> options = new ArrayList<>();
    read(socket, ANY, options);
    if (kind.isUnix()) {
      read(socket, UNIX, options);
    }
    if (kind.isTcp()) {
      read(socket, TCP, options);
    }
    if (kind.domain() == SocketCalls.AF_INET) {
      read(socket, INET, options);
      if (kind.isDatagram()) {
        read(socket, INET_DATAGRAM, options);
      }
    }
    if (kind.domain() == SocketCalls.AF_INET6) {
      read(socket, INET6, options);
    }
    return options;
  }

  private static void read(OwnFd socket, int[][] names, List<SocketOption> options) {
    for (int[] name : names) {
      byte @Nullable [] value = SocketCalls.option(socket.number(), name[0], name[1], name[2]);
      if (value == null) {
        continue;
      }
      if (name[0] == SOL_SOCKET && (name[1] == SO_SNDBUF || name[1] == SO_RCVBUF)) {
        value = halved(value); // the kernel doubles what it is given
      }
      options.add(new SocketOption(name[0], name[1], value));
    }
  }

  private static byte[] halved(byte[] value) {
    return SocketCalls.bytesOf(LittleEndian.intAt(value, 0) / 2);
  }

  private static boolean contains(List<SocketOption> defaults, SocketOption option) {
    for (SocketOption other : defaults) {
      if (other.level() == option.level() && other.name() == option.name()) {
        return Arrays.equals(other.value(), option.value());
      }
    }
    return false;
  }

  private static Integer key(SocketFacts kind) {
    return kind.domain() << 20 | kind.type() << 16 | kind.protocol();
  }
}
