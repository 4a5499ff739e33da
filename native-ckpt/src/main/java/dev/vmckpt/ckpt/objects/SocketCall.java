// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Calls a server that the user names, in the place of a connection that was lost. It is another
 * conversation: what the old peer had sent is not in it.
 */
final class SocketCall {
  private static final int ECONNREFUSED = 111;
  private static final int MOST_PORT = 65535;

  private SocketCall() {}

  /**
   * Connects a new socket.
   *
   * @param text a path, {@code @name}, or {@code HOST:PORT}
   */
  static RemoteFd call(
      String text, DescriptorImage.LostPeer image, OpenFileImage file, HuskFiles husk) {
    String name = HuskFiles.name(file);
    byte[] address =
        image.domain() == SocketCalls.AF_UNIX ? unix(text) : inet(text, image.domain());
    if (address == null) {
      throw new UsageException(
          "--reattach "
              + name
              + "="
              + text
              + ": no "
              + (image.domain() == SocketCalls.AF_UNIX ? "path" : "HOST:PORT")
              + " that a connection to "
              + image.peer()
              + " could go to instead");
    }
    RemoteFd fd = husk.socket(image.domain(), image.type(), 0);
    try (OwnFd own = husk.pull(fd)) {
      SocketOptions.apply(own, image.options(), name, husk);
    }
    long result =
        husk.process().tryCall(Nr.CONNECT, fd.number(), husk.put(address), address.length);
    if (result == -ECONNREFUSED || result == -Errno.ENOENT) {
      throw HuskFiles.refused(
          file,
          "nobody listens at " + SocketAddress.text(address),
          "start who is to be there, or leave --reattach " + name + " away: a peer that hung up");
    }
    Sys.check("connect", name + " to " + SocketAddress.text(address), result);
    if (!image.unread().isEmpty()) {
      husk.note(name + ": what " + image.peer() + " had sent and nobody read is left out");
    }
    return fd;
  }

  private static byte @Nullable [] unix(String text) {
    return SocketAddress.ofUnix(
        text.startsWith("@") ? text : Path.of(text).toAbsolutePath().toString());
  }

  private static byte @Nullable [] inet(String text, int domain) {
    int colon = text.lastIndexOf(':');
    if (colon <= 0) {
      return null;
    }
    String host = text.substring(0, colon);
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      // A name may have addresses of both families.
      for (InetAddress each : InetAddress.getAllByName(host)) {
        byte[] bits = each.getAddress();
        if ((bits.length == 4) == (domain == SocketCalls.AF_INET)
            && port > 0
            && port <= MOST_PORT) {
          byte[] address = SocketAddress.loopback(domain);
          System.arraycopy(bits, 0, address, domain == SocketCalls.AF_INET ? 4 : 8, bits.length);
          return SocketAddress.withPort(address, port);
        }
      }
      return null;
    } catch (NumberFormatException | UnknownHostException e) {
      return null;
    }
  }
}
