// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.guard.GuardProcess;
import dev.vmckpt.ckpt.guard.GuardedSocket;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.Guard;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.MonitorPassage;
import dev.vmckpt.spi.Visit;
import dev.vmckpt.spi.VisitContext;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the adapters have opened to the outside for one snapshot. */
final class Visits implements AutoCloseable {
  private final List<Visit> open = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private boolean canRest;

  private Visits() {}

  /** Lets all adapters meet the outside of the target. */
  static Visits make(AdapterSet adapters, SnapshotRequest request, FileCloner cloner) {
    Visits visits = new Visits();
    try {
      for (Adapter adapter : adapters.ordered()) {
        adapter.visit(visits.new Context(request, cloner)).ifPresent(visits::add);
      }
      return visits;
    } catch (RuntimeException e) {
      visits.close(e);
      throw e;
    }
  }

  private void add(Visit visit) {
    open.add(visit);
    canRest |= visit.canRest();
  }

  List<DiskKeeper> keepers() {
    List<DiskKeeper> keepers = new ArrayList<>();
    for (Visit visit : open) {
      keepers.addAll(visit.keepers());
    }
    return keepers;
  }

  private List<MonitorPassage> passages() {
    List<MonitorPassage> passages = new ArrayList<>();
    for (Visit visit : open) {
      passages.addAll(visit.passages());
    }
    return passages;
  }

  /** Whether one of them can bring the guest to rest. */
  boolean canRest() {
    return canRest;
  }

  /** What the user is told of them; nothing is added later. */
  List<String> notes() {
    return notes;
  }

  /** Tells all that everything is captured. */
  void captured() {
    for (int i = open.size() - 1; i >= 0; i--) {
      open.get(i).captured();
    }
  }

  @Override
  public void close() {
    close(null);
  }

  /** Closes all, last first; what goes wrong is added to an earlier failure, or thrown. */
  private void close(@Nullable RuntimeException earlier) {
    Undoing.lastFirst(open, Visit::close, earlier);
    open.clear();
  }

  private final class Context implements VisitContext {
    private final SnapshotRequest request;
    private final FileCloner cloner;

    Context(SnapshotRequest request, FileCloner cloner) {
      this.request = request;
      this.cloner = cloner;
    }

    @Override
    public FileCloner cloner() {
      return cloner;
    }

    @Override
    public int pid() {
      return request.pid();
    }

    @Override
    public Map<String, String> options() {
      return request.options();
    }

    @Override
    public GuardedChannel connect(SocketAddress address, Duration timeout) {
      return GuardedSocket.connect(address, timeout);
    }

    @Override
    public Guard guard() {
      return GuardProcess.start();
    }

    @Override
    public List<MonitorPassage> passages() {
      return Visits.this.passages();
    }

    @Override
    public void note(String message) {
      notes.add(message);
    }
  }
}
