// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.store.Store;
import dev.vmckpt.store.Stored;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code vmckpt verify}. */
@Command(
    name = "verify",
    description = {
      "Reads every byte of a snapshot and compares it with its checksums.",
      "Files of a copied store, whose times have changed, are trusted again after this."
    },
    footer = {"", "Example:", "  vmckpt verify web"})
final class VerifyCommand extends AbstractCommand {
  @Parameters(
      paramLabel = "ID",
      arity = "1..*",
      description = "Snapshots: their ids, beginnings of ids, or names.")
  List<String> words = new ArrayList<>();

  VerifyCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    Store store = store();
    List<Object> verified = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    for (String word : words) {
      Stored stored = store.find(word);
      try (TerminalProgress progress = new TerminalProgress(session)) {
        store.verify(stored, progress);
      }
      int files = stored.manifest().files().size() + 1;
      verified.add(
          new Fields()
              .put("snapshot", stored.id())
              .put("name", stored.manifest().name())
              .put("files", files)
              .put("imageBytes", stored.imageBytes())
              .map());
      text.append(stored.id())
          .append("  ")
          .append(stored.manifest().name() == null ? "-" : stored.manifest().name())
          .append("  ")
          .append(Humans.count(files, "file"))
          .append(" as written, ")
          .append(Humans.bytes(stored.imageBytes()))
          .append('\n');
    }
    print(new Fields().put("verified", verified), text.toString());
    return ExitCode.DONE.code();
  }
}
