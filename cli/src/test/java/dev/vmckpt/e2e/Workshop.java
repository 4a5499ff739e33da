// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.Checkpointer;
import dev.vmckpt.ckpt.Inspection;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.RestoreRequest;
import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.memory.PagesFile;
import dev.vmckpt.images.Detached;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.store.Draft;
import dev.vmckpt.store.Store;
import dev.vmckpt.store.Stored;
import dev.vmckpt.store.Work;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A checkpointer with every adapter there is and a store of its own; ends what it restored.
 *
 * <p>Does what the command line does, by the same classes.
 */
final class Workshop implements AutoCloseable {
  private final Checkpointer checkpointer;
  private final Store store;
  private final List<Restored> restored = new ArrayList<>();

  Workshop(Path folder) {
    List<Adapter> adapters = new ArrayList<>();
    for (Adapter adapter : ServiceLoader.load(Adapter.class)) {
      adapters.add(adapter);
    }
    checkpointer = new Checkpointer(adapters);
    store = Store.open(folder.resolve("store"), file -> List.of(), PagesFile::verify);
  }

  Store store() {
    return store;
  }

  Inspection inspect(int pid) {
    return checkpointer.inspect(pid, Set.of());
  }

  /** Saves a process, by the best means there is. */
  Stored snapshot(int pid) {
    return snapshot(pid, null);
  }

  Stored snapshot(int pid, CaptureFacts.@Nullable Method method, String... drops) {
    try (Draft draft = store.begin(null, List.of())) {
      Captured captured =
          checkpointer.snapshot(
              new SnapshotRequest(pid, draft.folder(), Set.of(drops), method, false),
              ProgressListener.SILENT);
      return draft.commit(captured, "test", ProgressListener.SILENT);
    }
  }

  /** Brings a process back as a user would, whose disks stand where they stood. */
  Restored restore(Stored stored) {
    return restore(stored, true, true, Map.of());
  }

  Restored restore(Stored stored, boolean lazy, boolean inPlace, Map<String, String> reattach) {
    try (Work work = store.work(stored)) {
      store.check(stored, ProgressListener.SILENT);
      Restored made =
          checkpointer.restore(
              new RestoreRequest(
                  stored.folder(), stored.manifest(), work.folder(), lazy, inPlace, reattach),
              ProgressListener.SILENT);
      work.keep();
      restored.add(made);
      return made;
    }
  }

  /** Ends a restored process, and waits for it as its parent must. */
  int end(Restored made) {
    restored.remove(made);
    Detached.kill(made.pid());
    Detached.kill(made.supervisor());
    return checkpointer.awaitExit(made);
  }

  @Override
  public void close() {
    for (Restored made : List.copyOf(restored)) {
      end(made);
    }
    checkpointer.close();
  }
}
