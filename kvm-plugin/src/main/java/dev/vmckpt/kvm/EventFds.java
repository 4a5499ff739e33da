// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The eventfds of a process: what a virtual machine may be wired to. */
final class EventFds {
  private static final String LINK = "anon_inode:[eventfd]";

  private EventFds() {}

  /** All of them, ascending. */
  static List<RemoteFd> of(int pid) {
    List<RemoteFd> found = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        if (isEventFd(each)) {
          found.add(new RemoteFd(Integer.parseInt(each.toFile().getName())));
        }
      }
    } catch (IOException e) {
      throw new TargetGoneException("process " + pid + " is gone", e);
    }
    found.sort(null);
    return found;
  }

  private static boolean isEventFd(Path path) throws IOException {
    try {
      return Files.readSymbolicLink(path).toString().equals(LINK);
    } catch (NoSuchFileException closed) {
      return false;
    }
  }
}
