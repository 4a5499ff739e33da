// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.error.ExitCode;
import picocli.AutoComplete;
import picocli.CommandLine.Command;

/** {@code vmckpt completion}. */
@Command(
    name = "completion",
    description = "Prints a script that teaches bash or zsh to complete vmckpt's words.",
    footer = {"", "Example:", "  source <(vmckpt completion)"})
final class CompletionCommand extends AbstractCommand {
  CompletionCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    String script = AutoComplete.bash("vmckpt", Main.commandLine(session));
    print(new Fields().put("script", script), script);
    return ExitCode.DONE.code();
  }
}
