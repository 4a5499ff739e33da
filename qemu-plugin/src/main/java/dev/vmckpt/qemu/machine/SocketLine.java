// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.options.OptionValue;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A character device that is a socket where QEMU listens. One that is started for a guest that runs
 * already does not wait for somebody to connect, as QEMU does if it is not told otherwise.
 *
 * @param protocol what stands before the first colon of a line, empty for a {@code -chardev}
 * @param path of its UNIX socket, null if it is none
 * @param value its keys
 */
record SocketLine(String protocol, @Nullable String path, OptionValue value) {
  private static final Set<String> PROTOCOLS =
      Set.of("unix", "tcp", "telnet", "tn3270", "websocket");

  /** Reads the value of {@code -serial}, {@code -monitor} and the like; null if it is none. */
  static @Nullable SocketLine ofLine(String text) {
    int colon = text.indexOf(':');
    String protocol = colon < 0 ? "" : text.substring(0, colon);
    if (!PROTOCOLS.contains(protocol)) {
      return null;
    }
    OptionValue value = OptionValue.parse(text.substring(colon + 1), true);
    String path = protocol.equals("unix") ? value.get("") : null;
    return value.isOn("server") ? new SocketLine(protocol, path, unwaiting(value)) : null;
  }

  /** Reads the value of {@code -chardev}; null if it is none. */
  static @Nullable SocketLine ofChardev(OptionValue value) {
    boolean listens = value.first("backend").equals("socket") && value.isOn("server");
    return listens ? new SocketLine("", value.get("path"), unwaiting(value)) : null;
  }

  private static OptionValue unwaiting(OptionValue value) {
    return value.without("nowait").with("wait", "off");
  }

  /** As a line has it. */
  String line() {
    return protocol + ":" + value;
  }

  /**
   * Whether somebody listens at its path: QEMU would take the name from him.
   *
   * @param folder what a relative path is relative to
   */
  boolean isServed(Path folder) {
    Path socket = path == null ? null : folder.resolve(path);
    if (socket == null || !Files.exists(socket)) {
      return false;
    }
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return channel.isConnected();
    } catch (IOException e) {
      // Nobody does: what is there was left behind.
      return false;
    }
  }
}
