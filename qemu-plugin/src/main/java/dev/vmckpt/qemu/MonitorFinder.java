// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.proc.UnixSockets;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Finds the monitors of a process. */
final class MonitorFinder {
  private static final String TCP = "tcp:";

  private MonitorFinder() {}

  /**
   * Where to look for a monitor.
   *
   * @param wish where the user says it is: a path, or {@code tcp:HOST:PORT}; empty for the command
   *     line of the process, if it is a QEMU's
   * @return possibly none
   * @throws UsageException if the wish is no such place
   */
  static List<SocketAddress> of(int pid, String wish) {
    if (wish.startsWith(TCP)) {
      int colon = wish.lastIndexOf(':');
      try {
        int port = Integer.parseInt(wish.substring(colon + 1));
        String host = colon < TCP.length() ? "localhost" : wish.substring(TCP.length(), colon);
        return List.of(new InetSocketAddress(host, port));
      } catch (IllegalArgumentException e) {
        throw new UsageException("--qmp " + wish + ": no port; write tcp:HOST:PORT or a path", e);
      }
    }
    if (!wish.isEmpty()) {
      return List.of(UnixDomainSocketAddress.of(Path.of(wish).toAbsolutePath()));
    }
    CommandLine line = CommandLine.of(pid);
    return line.isQemu()
        ? MonitorPlaces.of(
            line, CommandLine.directoryOf(pid), fd -> UnixSockets.listeningAt(pid, fd))
        : List.of();
  }

  /** The file that the first serial console of a process goes to, if it is a QEMU's. */
  static Optional<Path> serialFile(int pid) {
    CommandLine line = CommandLine.of(pid);
    return line.isQemu() ? SerialFile.of(line, CommandLine.directoryOf(pid)) : Optional.empty();
  }
}
