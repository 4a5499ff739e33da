// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.SocketCalls;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * struct sockaddr, as bytes:
 *
 * <pre>
 * AF_UNIX   family 2, path up to 108: empty, from a zero byte on (abstract), or a file
 * AF_INET   family 2, port 2 (big-endian), address 4, zeros 8
 * AF_INET6  family 2, port 2 (big-endian), flow 4, address 16, scope 4
 * </pre>
 */
final class SocketAddress {
  static final int FAMILY_BYTES = 2;
  static final int PATH_BYTES = 108;
  private static final int INET_BYTES = 16;
  private static final int INET6_BYTES = 28;

  private SocketAddress() {}

  /**
   * A UNIX address of the kind people write: a path, or {@code @name}; null when it is too long.
   */
  static byte @Nullable [] ofUnix(String text) {
    byte[] name = text.getBytes(StandardCharsets.UTF_8);
    boolean isAbstract = text.startsWith("@");
    if (name.length > (isAbstract ? PATH_BYTES : PATH_BYTES - 1)) {
      return null;
    }
    // A path ends with a zero that is counted; an abstract name begins with one.
    byte[] address = new byte[FAMILY_BYTES + name.length + (isAbstract ? 0 : 1)];
    address[0] = SocketCalls.AF_UNIX;
    System.arraycopy(name, 0, address, FAMILY_BYTES, name.length);
    if (isAbstract) {
      address[FAMILY_BYTES] = 0;
    }
    return address;
  }

  /** The loopback address with a port chosen by the kernel. */
  static byte[] loopback(int domain) {
    byte[] address = new byte[domain == SocketCalls.AF_INET ? INET_BYTES : INET6_BYTES];
    address[0] = (byte) domain;
    if (domain == SocketCalls.AF_INET) {
      address[4] = 127;
      address[7] = 1;
    } else {
      address[23] = 1;
    }
    return address;
  }

  /** Whether a socket has not been bound to anything. */
  static boolean isUnbound(byte[] address) {
    if (address.length <= FAMILY_BYTES) {
      return true;
    }
    return family(address) != SocketCalls.AF_UNIX && port(address) == 0;
  }

  /** The file a UNIX socket was bound to; empty for none. */
  static String unixPath(byte[] address) {
    if (family(address) != SocketCalls.AF_UNIX
        || address.length <= FAMILY_BYTES
        || address[FAMILY_BYTES] == 0) {
      return "";
    }
    int end = FAMILY_BYTES;
    while (end < address.length && address[end] != 0) {
      end++;
    }
    return new String(address, FAMILY_BYTES, end - FAMILY_BYTES, StandardCharsets.UTF_8);
  }

  static int family(byte[] address) {
    return address.length < FAMILY_BYTES ? 0 : (address[0] & 0xff) | (address[1] & 0xff) << 8;
  }

  static int port(byte[] address) {
    return address.length < 4 ? 0 : (address[2] & 0xff) << 8 | (address[3] & 0xff);
  }

  /** The same address at another port. */
  static byte[] withPort(byte[] address, int port) {
    byte[] changed = address.clone();
    changed[2] = (byte) (port >> 8);
    changed[3] = (byte) port;
    return changed;
  }

  /**
   * For people: {@code 127.0.0.1:5900}, {@code [::1]:80}, {@code /run/x.sock}, {@code @name}, or
   * nothing.
   */
  static String text(byte[] address) {
    int family = family(address);
    if (family == SocketCalls.AF_INET && address.length >= 8) {
      return (address[4] & 0xff)
          + "."
          + (address[5] & 0xff)
          + "."
          + (address[6] & 0xff)
          + "."
          + (address[7] & 0xff)
          + ":"
          + port(address);
    }
    if (family == SocketCalls.AF_INET6 && address.length >= 24) {
      StringBuilder text = new StringBuilder("[");
      byte[] any = new byte[16];
      byte[] bits = Arrays.copyOfRange(address, 8, 24);
      if (Arrays.equals(any, bits)) {
        text.append("::");
      } else {
        for (int i = 0; i < 16; i += 2) {
          text.append(i == 0 ? "" : ":");
          text.append(Integer.toHexString((bits[i] & 0xff) << 8 | (bits[i + 1] & 0xff)));
        }
      }
      return text.append("]:").append(port(address)).toString();
    }
    if (family == SocketCalls.AF_UNIX && address.length > FAMILY_BYTES) {
      return address[FAMILY_BYTES] == 0
          ? "@"
              + new String(
                  address,
                  FAMILY_BYTES + 1,
                  address.length - FAMILY_BYTES - 1,
                  StandardCharsets.UTF_8)
          : unixPath(address);
    }
    return "";
  }
}
