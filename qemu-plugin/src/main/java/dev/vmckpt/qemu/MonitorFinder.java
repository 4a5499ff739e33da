// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.proc.UnixSockets;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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
    List<String> arguments = commandLine(pid);
    return isQemu(arguments)
        ? MonitorPlaces.of(arguments, directory(pid), fd -> UnixSockets.listeningAt(pid, fd))
        : List.of();
  }

  /** The file that the first serial console of a process goes to, if it is a QEMU's. */
  static Optional<Path> serialFile(int pid) {
    List<String> arguments = commandLine(pid);
    return isQemu(arguments) ? SerialFile.of(arguments, directory(pid)) : Optional.empty();
  }

  private static boolean isQemu(List<String> arguments) {
    String program = arguments.isEmpty() ? "" : arguments.get(0);
    return program.substring(program.lastIndexOf('/') + 1).contains("qemu");
  }

  private static List<String> commandLine(int pid) {
    try {
      byte[] bytes = Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline"));
      return List.of(new String(bytes, StandardCharsets.UTF_8).split("\0", -1));
    } catch (IOException e) {
      return List.of();
    }
  }

  /** What relative paths of a process are relative to. */
  static Path directory(int pid) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/" + pid + "/cwd"));
    } catch (IOException e) {
      return Path.of("/");
    }
  }
}
