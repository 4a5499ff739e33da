// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.Visit;
import dev.vmckpt.spi.VisitContext;
import dev.vmckpt.spi.error.SyscallException;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The monitor of a target, and which of the target's sockets is its end of our connection. */
final class MonitorVisit implements Visit {
  /** The word of the user's wish: where the monitor is, or {@link #NONE}. */
  static final String OPTION = "qmp";

  static final String NONE = "none";

  private final Monitor monitor;
  private final String link;
  private final Runnable closed;

  private MonitorVisit(Monitor monitor, String link, Runnable closed) {
    this.monitor = monitor;
    this.link = link;
    this.closed = closed;
  }

  /**
   * Looks for a monitor and takes it.
   *
   * @param closed is told when it is given back
   * @return empty if there is none, if the user wants none, or if somebody else has it: the user is
   *     told that
   */
  static Optional<MonitorVisit> make(VisitContext context, Runnable closed) {
    String wish = context.options().getOrDefault(OPTION, "");
    if (wish.equals(NONE)) {
      return Optional.empty();
    }
    List<SocketAddress> places = MonitorFinder.of(context.pid(), wish);
    for (SocketAddress place : places) {
      try {
        Set<String> before = sockets(context.pid());
        Monitor monitor = Monitor.meet(context.connect(place, Monitor.GREETING));
        Set<String> after = sockets(context.pid());
        after.removeAll(before);
        String link = after.size() == 1 ? after.iterator().next() : "";
        return Optional.of(new MonitorVisit(monitor, link, closed));
      } catch (QmpException | SyscallException e) {
        context.note(
            "the monitor was not used, so the guest was not stopped before it was saved: "
                + e.getMessage());
      }
    }
    return Optional.empty();
  }

  /** The sockets of a process, as their links tell them. */
  private static Set<String> sockets(int pid) {
    Set<String> found = new HashSet<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        String link = tryLink(each);
        if (link.startsWith("socket:")) {
          found.add(link);
        }
      }
    } catch (IOException e) {
      // Who cannot look there cannot save it either, and will be told by others.
    }
    return found;
  }

  private static String tryLink(Path path) {
    try {
      return Files.readSymbolicLink(path).toString();
    } catch (IOException closed) {
      return "";
    }
  }

  Monitor monitor() {
    return monitor;
  }

  /** Whether a resource is the target's end of our connection. */
  boolean isOurs(DescriptorResource resource) {
    return !link.isEmpty() && resource.link().equals(link);
  }

  @Override
  public List<DiskKeeper> keepers() {
    return List.of();
  }

  @Override
  public void close() {
    closed.run();
    monitor.close();
  }

  /** The command line of a process. */
  static List<String> commandLine(int pid) {
    try {
      byte[] bytes = Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline"));
      return List.of(new String(bytes, StandardCharsets.UTF_8).split("\0", -1));
    } catch (IOException e) {
      return List.of();
    }
  }
}
