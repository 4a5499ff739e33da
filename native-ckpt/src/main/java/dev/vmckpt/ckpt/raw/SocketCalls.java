// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.remote.Nr;
import java.lang.ref.Reference;
import org.jspecify.annotations.Nullable;

/** System calls about sockets of our own process, duplicates of others' included. */
public final class SocketCalls {
  public static final int AF_UNIX = 1;
  public static final int AF_INET = 2;
  public static final int AF_INET6 = 10;
  public static final int SOCK_STREAM = 1;
  public static final int SOCK_DGRAM = 2;
  public static final int SOCK_SEQPACKET = 5;
  public static final int SOCK_NONBLOCK = 04000;
  public static final int SOCK_CLOEXEC = 02000000;
  public static final int SOL_SOCKET = 1;
  public static final int MSG_PEEK = 2;
  public static final int MSG_TRUNC = 0x20;
  public static final int MSG_DONTWAIT = 0x40;
  public static final int MSG_NOSIGNAL = 0x4000;

  private static final int RECVFROM = 45;
  private static final int GETPEERNAME = 52;
  private static final int ADDRESS_BYTES = 128;

  private static final int PLACE_BYTES = 256;

  /** Where results are found: sockets are asked some thirty things each inside a pause. */
  private static final ThreadLocal<NativeBuffer> PLACE = new Place();

  private static final class Place extends ThreadLocal<NativeBuffer> {
    @Override
    protected NativeBuffer initialValue() {
      return new NativeBuffer(PLACE_BYTES);
    }
  }

  private SocketCalls() {}

  /** socket(2) with SOCK_CLOEXEC. */
  public static long trySocket(int domain, int type, int protocol) {
    return Sys.tryCall(Nr.SOCKET, domain, type | SOCK_CLOEXEC, protocol);
  }

  /**
   * The bytes of an option, at most {@code length} (up to 252), or null when the socket has no such
   * option.
   */
  public static byte @Nullable [] option(int fd, int level, int name, int length) {
    NativeBuffer value = PLACE.get();
    value.bytes().putInt(length, length);
    long result =
        Sys.tryCall(Nr.GETSOCKOPT, fd, level, name, value.address(), value.address() + length, 0);
    return result < 0 ? null : value.copy(0, Math.min(length, value.bytes().getInt(length)));
  }

  /** An option that is an int, or {@code otherwise} when the socket has no such option. */
  public static int intOption(int fd, int level, int name, int otherwise) {
    NativeBuffer value = PLACE.get();
    value.bytes().putInt(4, 4);
    long result =
        Sys.tryCall(Nr.GETSOCKOPT, fd, level, name, value.address(), value.address() + 4, 0);
    return result < 0 ? otherwise : value.bytes().getInt(0);
  }

  /** setsockopt(2). */
  public static long trySetOption(int fd, int level, int name, byte[] value) {
    NativeBuffer bytes = NativeBuffer.ofBytes(value);
    try {
      return Sys.tryCall(Nr.SETSOCKOPT, fd, level, name, bytes.address(), value.length, 0);
    } finally {
      Reference.reachabilityFence(bytes);
    }
  }

  /** setsockopt(2) of an int. */
  public static long trySetOption(int fd, int level, int name, int value) {
    return trySetOption(fd, level, name, bytesOf(value));
  }

  /** An int as the kernel lays it out. */
  public static byte[] bytesOf(int value) {
    return new byte[] {
      (byte) value, (byte) (value >> 8), (byte) (value >> 16), (byte) (value >> 24)
    };
  }

  /** struct sockaddr of its own end, or null. */
  public static byte @Nullable [] localAddress(int fd) {
    return address(Nr.GETSOCKNAME, fd);
  }

  /** struct sockaddr of its peer, or null when it has none. */
  public static byte @Nullable [] peerAddress(int fd) {
    return address(GETPEERNAME, fd);
  }

  private static byte @Nullable [] address(int call, int fd) {
    NativeBuffer into = PLACE.get();
    into.bytes().putInt(ADDRESS_BYTES, ADDRESS_BYTES);
    long result = Sys.tryCall(call, fd, into.address(), into.address() + ADDRESS_BYTES);
    return result < 0
        ? null
        : into.copy(0, Math.min(ADDRESS_BYTES, into.bytes().getInt(ADDRESS_BYTES)));
  }

  /** recv(2). */
  public static long tryReceive(int fd, NativeBuffer into, int length, int flags) {
    return Sys.tryCall(RECVFROM, fd, into.address(), length, flags, 0, 0);
  }

  /** send(2). */
  public static long trySend(int fd, NativeBuffer from, int offset, int length, int flags) {
    try {
      return Sys.tryCall(Nr.SENDTO, fd, from.address() + offset, length, flags, 0, 0);
    } finally {
      Reference.reachabilityFence(from);
    }
  }
}
