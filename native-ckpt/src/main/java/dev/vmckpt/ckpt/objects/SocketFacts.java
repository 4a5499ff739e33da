// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import org.jspecify.annotations.Nullable;

/**
 * What a duplicate of a socket tells of it.
 *
 * @param domain AF_*
 * @param type SOCK_*
 * @param protocol IPPROTO_*
 * @param listening whether it accepts
 * @param local struct sockaddr of its own end; two bytes for a UNIX socket without a name
 * @param peer struct sockaddr of its peer, or null
 * @param peerPid who made the other end of a UNIX connection, 0 if that is not known
 * @param tcp of TCP, what TCP_INFO says; else of no meaning
 * @param unix of UNIX, what the kernel tells by sock_diag; null if it tells nothing
 */
record SocketFacts(
    int domain,
    int type,
    int protocol,
    boolean listening,
    byte[] local,
    byte @Nullable [] peer,
    int peerPid,
    Tcp tcp,
    UnixDiag.@Nullable Entry unix) {
  static final int IPPROTO_ICMP = 1;
  static final int IPPROTO_TCP = 6;
  static final int IPPROTO_UDP = 17;
  static final int IPPROTO_ICMPV6 = 58;
  static final int TCP_CLOSE = 7;
  static final int TCP_LISTEN = 10;

  private static final int SO_TYPE = 3;
  private static final int SO_PEERCRED = 17;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SO_PROTOCOL = 38;
  private static final int SO_DOMAIN = 39;
  private static final int TCP_INFO = 11;
  private static final int TCP_INFO_BYTES = 144;
  private static final int SEGMENTS_OUT_AT = 136;
  private static final int SEGMENTS_IN_AT = 140;

  /**
   * The beginning of struct tcp_info (linux/tcp.h).
   *
   * @param state TCP_*
   * @param pending of a listening socket, how many wait to be accepted
   * @param backlog of a listening socket, the second argument of listen(2)
   * @param used whether anything was ever sent or received: a closed socket that was used had a
   *     connection, and its port is not its own any more
   */
  record Tcp(int state, int pending, int backlog, boolean used) {
    static final Tcp UNKNOWN = new Tcp(TCP_CLOSE, 0, 0, false);

    boolean isConnection() {
      return state != TCP_LISTEN && (state != TCP_CLOSE || used);
    }
  }

  /** How a socket stands to others. */
  enum Role {
    /** Of a kind that nobody here carries. */
    STRANGE,
    /** Listening, bound, not yet used, or one that needs no connection. */
    PEERLESS,
    /** Connected with another one of the set. */
    PAIR,
    /** Connected with somebody outside, or with nobody any more. */
    LOST,
    /** Sends to a socket of the set that does not send back to it. */
    LOPSIDED,
    /** A UNIX socket of which the kernel does not tell the peer. */
    UNKNOWN
  }

  /**
   * Reads them.
   *
   * @param inode the number of the socket
   */
  static SocketFacts of(OwnFd duplicate, long inode, @Nullable UnixDiag diag) {
    int fd = duplicate.number();
    int domain = SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SO_DOMAIN, -1);
    int type = SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SO_TYPE, -1);
    int protocol = SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SO_PROTOCOL, -1);
    boolean unix = domain == SocketCalls.AF_UNIX;
    byte[] local = SocketCalls.localAddress(fd);
    return new SocketFacts(
        domain,
        type,
        protocol,
        SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SO_ACCEPTCONN, 0) != 0,
        local == null ? new byte[0] : local,
        SocketCalls.peerAddress(fd),
        unix ? Math.max(0, SocketCalls.intOption(fd, SocketCalls.SOL_SOCKET, SO_PEERCRED, 0)) : 0,
        protocol == IPPROTO_TCP && !unix ? tcp(fd) : Tcp.UNKNOWN,
        unix && diag != null ? diag.tryFind(inode) : null);
  }

  private static Tcp tcp(int fd) {
    byte[] info = SocketCalls.option(fd, IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES);
    return info == null || info.length < TCP_INFO_BYTES
        ? Tcp.UNKNOWN
        : new Tcp(
            info[0],
            LittleEndian.intAt(info, 24),
            LittleEndian.intAt(info, 28),
            LittleEndian.intAt(info, SEGMENTS_OUT_AT) != 0
                || LittleEndian.intAt(info, SEGMENTS_IN_AT) != 0);
  }

  boolean isUnix() {
    return domain == SocketCalls.AF_UNIX;
  }

  boolean isInet() {
    return domain == SocketCalls.AF_INET || domain == SocketCalls.AF_INET6;
  }

  boolean isTcp() {
    return isInet() && type == SocketCalls.SOCK_STREAM && protocol == IPPROTO_TCP;
  }

  boolean isDatagram() {
    return isInet()
        && type == SocketCalls.SOCK_DGRAM
        && (protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6);
  }

  /** How many connections wait to be accepted. */
  int pending() {
    if (!listening) {
      return 0;
    }
    return unix != null ? unix.pending() : tcp.pending();
  }

  int backlog() {
    if (!listening) {
      return 0;
    }
    return unix != null ? unix.backlog() : tcp.backlog();
  }

  /** Who is at the other end, for people. */
  String peerText() {
    if (isUnix()) {
      String name = peer == null ? "" : SocketAddress.text(peer);
      String process = peerPid == 0 ? "a process that is not known" : "process " + peerPid;
      return name.isEmpty() ? process : process + " at " + name;
    }
    if (peer != null) {
      return SocketAddress.text(peer);
    }
    return tcp.state() == TCP_CLOSE ? "somebody who has ended it" : "nobody yet";
  }
}
