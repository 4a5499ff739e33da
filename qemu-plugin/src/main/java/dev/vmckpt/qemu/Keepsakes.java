// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.picture.Console;
import dev.vmckpt.qemu.picture.Screen;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What one snapshot keeps of its guest for people to look at. */
final class Keepsakes {
  private final Path folder;
  private final Optional<Path> serial;
  private @Nullable Console console;
  private @Nullable Screen screen;

  /**
   * @param pid the target
   * @param folder the snapshot's
   */
  Keepsakes(int pid, Path folder) {
    this.folder = folder;
    serial = MonitorFinder.serialFile(pid);
  }

  /** Remembers how far the console is. Stands in the pause. */
  void mark() {
    if (serial.isPresent()) {
      try {
        console = Console.mark(serial.get(), folder);
      } catch (IOException e) {
        // Deleted, or in a place that we cannot see: the guest has no console for us.
        console = null;
      }
    }
  }

  /** Asks for the screen; the pause has just ended. */
  void ask(Qmp qmp) {
    try {
      screen = Screen.ask(qmp, folder);
    } catch (QmpException e) {
      screen = null;
    }
  }

  /** Keeps what there is. */
  void keep() {
    if (console != null) {
      console.keep();
    }
    if (screen != null) {
      screen.keep();
    }
  }
}
