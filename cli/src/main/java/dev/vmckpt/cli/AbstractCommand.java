// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Checkpointer;
import dev.vmckpt.ckpt.Processes;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.memory.PagesFile;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.store.FileUsers;
import dev.vmckpt.store.PagesCheck;
import dev.vmckpt.store.Store;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What all commands have: the common options, and the way to the store and the checkpointer. */
abstract class AbstractCommand implements Callable<Integer> {
  final Session session;

  @Option(names = "--json", description = "Print the result as one JSON object on standard output.")
  boolean json;

  @Option(
      names = "--store",
      paramLabel = "DIR",
      description =
          "Where snapshots live; else VMCKPT_STORE, else vmckpt in XDG_DATA_HOME or ~/.local/share.")
  @Nullable Path folder;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help and end.")
  boolean help;

  @Option(names = "--debug", description = "Say more on standard error, with stack traces.")
  boolean debug;

  AbstractCommand(Session session) {
    this.session = session;
  }

  /** Does it, and returns the exit code. */
  @Override
  public abstract Integer call();

  final Store store() {
    Path place = folder == null ? Store.defaultFolder(session.environment()) : folder;
    return Store.open(place, new Users(), new Pages());
  }

  static Checkpointer checkpointer() {
    List<Adapter> adapters = new ArrayList<>();
    for (Adapter adapter : ServiceLoader.load(Adapter.class)) {
      adapters.add(adapter);
    }
    return new Checkpointer(adapters);
  }

  /** Prints a result: the fields with {@code --json}, else the text. */
  final void print(Fields fields, String text) {
    session.out().println(json ? fields.toJson() : text.stripTrailing());
    session.out().flush();
  }

  final void notes(List<String> notes) {
    for (String note : notes) {
      session.err().println(session.errColors().string("@|yellow note:|@ ") + Humans.plain(note));
    }
  }

  static double millis(long micros) {
    return micros / 1000.0;
  }

  static long microsSince(long nanos) {
    return (System.nanoTime() - nanos) / 1000;
  }

  private static final class Users implements FileUsers {
    @Override
    public List<Integer> of(Path file) {
      return Processes.mapping(file);
    }
  }

  private static final class Pages implements PagesCheck {
    @Override
    public void verify(Path folder, String pagesFile, FileEntry entry, ProgressListener progress) {
      PagesFile.verify(folder, pagesFile, entry, progress);
    }
  }
}
