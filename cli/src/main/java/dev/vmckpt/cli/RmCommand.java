// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.store.Store;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code vmckpt rm}. */
@Command(
    name = "rm",
    description = "Removes snapshots that no process and no other snapshot needs.",
    footer = {"", "Example:", "  vmckpt rm web 4f3a"})
final class RmCommand extends AbstractCommand {
  @Parameters(
      paramLabel = "ID",
      arity = "1..*",
      description = "Snapshots: their ids, beginnings of ids, or names.")
  List<String> words = new ArrayList<>();

  RmCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    Store store = store();
    List<String> ids = new ArrayList<>();
    for (String word : words) {
      String id = store.resolve(word);
      if (!ids.contains(id)) {
        ids.add(id);
      }
    }
    List<Object> removed = new ArrayList<>();
    for (String id : ids) {
      store.remove(id);
      removed.add(id);
    }
    print(new Fields().put("removed", removed), String.join("\n", ids));
    return ExitCode.DONE.code();
  }
}
