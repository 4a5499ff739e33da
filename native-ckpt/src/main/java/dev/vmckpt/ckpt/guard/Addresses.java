// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.guard;

import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.spi.error.UsageException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Java's addresses as the kernel wants them: struct sockaddr_un, sockaddr_in and sockaddr_in6. */
final class Addresses {
  private static final int UNIX_PATH_BYTES = 107;

  private Addresses() {}

  /**
   * The bytes of an address.
   *
   * @throws UsageException if the kernel has no such address
   */
  static byte[] of(SocketAddress address) {
    if (address instanceof UnixDomainSocketAddress unix) {
      byte[] path = unix.getPath().toString().getBytes(StandardCharsets.UTF_8);
      if (path.length > UNIX_PATH_BYTES) {
        throw new UsageException("longer than 107 bytes: " + unix.getPath());
      }
      // The zero behind it is counted.
      ByteBuffer bytes = ByteBuffer.allocate(2 + path.length + 1).order(ByteOrder.LITTLE_ENDIAN);
      return bytes.putShort((short) SocketCalls.AF_UNIX).put(path).put((byte) 0).array();
    }
    if (address instanceof InetSocketAddress inet && !inet.isUnresolved()) {
      return of(inet.getAddress(), inet.getPort());
    }
    throw new UsageException("no address to connect to: " + address);
  }

  private static byte[] of(InetAddress host, int port) {
    byte[] number = host.getAddress();
    boolean old = number.length == 4;
    // Family in the host's order, port in the network's; then the address, of IPv6 behind the flow.
    ByteBuffer bytes = ByteBuffer.allocate(old ? 16 : 28).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putShort((short) (old ? SocketCalls.AF_INET : SocketCalls.AF_INET6));
    bytes.order(ByteOrder.BIG_ENDIAN).putShort((short) port);
    return bytes.position(old ? 4 : 8).put(number).array();
  }
}
