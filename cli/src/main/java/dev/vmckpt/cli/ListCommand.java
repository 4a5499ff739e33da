// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.store.Listed;
import dev.vmckpt.store.Store;
import dev.vmckpt.store.Stored;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;

/** {@code vmckpt list}. */
@Command(
    name = "list",
    description = "Lists the snapshots of a store, the oldest first.",
    footer = {"", "Example:", "  vmckpt list --json"})
final class ListCommand extends AbstractCommand {
  ListCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    Store store = store();
    List<Object> snapshots = new ArrayList<>();
    Table table =
        new Table(
            session.outColors(), "ID", "NAME", "CREATED", "PROCESS", "MEMORY", "PAUSE", "TAGS");
    for (Listed each : store.list()) {
      if (each.stored() != null) {
        snapshots.add(fields(each.stored()).map());
        row(table, each.stored());
      } else if (each.fault() != null) {
        SnapshotException fault = each.fault();
        String word = fault.fault().name().toLowerCase(Locale.ROOT).replace('_', '-');
        snapshots.add(
            new Fields()
                .put("snapshot", each.id())
                .put("fault", word)
                .put("error", fault.getMessage())
                .map());
        table.add("red", each.id(), "", "", word + ": " + fault.getMessage(), "", "", "");
      }
    }
    Fields fields =
        new Fields().put("store", store.folder().toString()).put("snapshots", snapshots);
    print(
        fields,
        snapshots.isEmpty() ? "There are no snapshots in " + store.folder() : table.toString());
    store.sweepWork();
    return ExitCode.DONE.code();
  }

  private static void row(Table table, Stored stored) {
    Manifest manifest = stored.manifest();
    CaptureFacts facts = manifest.capture();
    table.row(
        stored.id(),
        manifest.name() == null ? "-" : manifest.name(),
        Humans.time(manifest.created()),
        process(manifest),
        Humans.bytes(facts.memoryBytes()),
        Humans.micros(facts.pauseMicros()),
        String.join(" ", manifest.tags()));
  }

  private static String process(Manifest manifest) {
    if (manifest.processes().isEmpty()) {
      return "-";
    }
    ProcessImage first = manifest.processes().get(0);
    return first.pid() + " " + first.name();
  }

  private static Fields fields(Stored stored) {
    Manifest manifest = stored.manifest();
    CaptureFacts facts = manifest.capture();
    List<Object> processes = new ArrayList<>();
    for (ProcessImage process : manifest.processes()) {
      processes.add(new Fields().put("pid", process.pid()).put("name", process.name()).map());
    }
    return new Fields()
        .put("snapshot", stored.id())
        .put("name", manifest.name())
        .put("tags", manifest.tags())
        .put("parent", manifest.parent())
        .put("created", manifest.created())
        .put("processes", processes)
        .put("memoryBytes", facts.memoryBytes())
        .put("imageBytes", stored.imageBytes())
        .put("pauseMillis", millis(facts.pauseMicros()))
        .put("capture", facts.method());
  }
}
