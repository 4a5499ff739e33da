// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;

/**
 * {@code vmckpt demo}: hands over to a script, so that everything it does can be read and typed.
 */
@Command(
    name = "demo",
    description = {
      "Boots a Linux guest in QEMU, saves it, kills it and brings it back.",
      "Shows every command it runs, leaves nothing behind, and takes less than a minute."
    },
    footer = {"", "Example:", "  ./vmckpt demo"})
final class DemoCommand extends AbstractCommand {
  DemoCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    Path script = Path.of(System.getProperty("vmckpt.root", "."), "cli/src/main/sh/demo.sh");
    if (!Files.isReadable(script)) {
      throw new FailureException(
          "the demo needs the sources: " + script + " is not there; run ./vmckpt demo in a clone");
    }
    List<String> command = new ArrayList<>(List.of("sh", script.toString()));
    if (json) {
      command.add("--json");
    }
    try {
      return new ProcessBuilder(command).inheritIO().start().waitFor();
    } catch (IOException e) {
      throw new FailureException("the demo cannot be started", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FailureException("the demo was interrupted", e);
    }
  }
}
