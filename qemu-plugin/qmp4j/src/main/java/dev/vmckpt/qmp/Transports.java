// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The ways to another end. */
final class Transports {
  private Transports() {}

  static Connection to(SocketAddress address, Connection.Dialect dialect, QmpOptions options) {
    try {
      boolean local = address instanceof UnixDomainSocketAddress;
      SocketChannel channel =
          local ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
      return new Connection(
          address.toString(), SocketWire.to(channel, address), local, dialect, options);
    } catch (IOException e) {
      throw new QmpConnectException("cannot make a socket: " + e.getMessage(), e);
    }
  }

  static Connection over(ByteChannel connected, Connection.Dialect dialect, QmpOptions options) {
    if (connected instanceof FileChannel) {
      throw new IllegalArgumentException(
          "a FileChannel is not written while it is read; open(Path) opens two");
    }
    Wire wire =
        connected instanceof SocketChannel socket
            ? SocketWire.over(socket)
            : new BlockingWire(connected, connected);
    return new Connection(name(connected), wire, true, dialect, options);
  }

  private static String name(ByteChannel channel) {
    try {
      if (channel instanceof SocketChannel socket) {
        SocketAddress there = socket.getRemoteAddress();
        // Whoever connects to us from a UNIX socket has no name there.
        return there == null || there.toString().isEmpty() ? "the adopted socket" : "" + there;
      }
    } catch (IOException e) {
      // It is closed, which the reader will find out.
    }
    return "the adopted channel";
  }

  static Connection open(Path device, Connection.Dialect dialect, QmpOptions options) {
    FileChannel in = null;
    try {
      in = FileChannel.open(device, StandardOpenOption.READ);
      FileChannel out = FileChannel.open(device, StandardOpenOption.WRITE);
      return new Connection(device.toString(), new BlockingWire(in, out), true, dialect, options);
    } catch (IOException e) {
      QmpConnectException failed =
          new QmpConnectException("cannot open " + device + ": " + e.getMessage(), e);
      if (in != null) {
        try {
          in.close();
        } catch (IOException more) {
          failed.addSuppressed(more);
        }
      }
      throw failed;
    }
  }
}
