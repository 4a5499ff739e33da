// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qmp.QmpClosedException;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.json.JsonTree;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A guest that its monitor keeps stopped. */
final class QemuDetachment implements Detachment {
  private final List<DescriptorResource> claimed;
  private final @Nullable Monitor monitor;
  private final boolean stopped;

  private QemuDetachment(
      List<DescriptorResource> claimed, @Nullable Monitor monitor, boolean stopped) {
    this.claimed = claimed;
    this.monitor = monitor;
    this.stopped = stopped;
  }

  /**
   * Stops the guest, if there is a monitor and it runs; and keeps its machine, if that is wished.
   *
   * <p>Nothing of the guest moves between here and the pause: the state of its devices is of the
   * same instant as its memory.
   *
   * @param folder of the snapshot
   */
  static QemuDetachment begin(
      List<DescriptorResource> claimed, @Nullable MonitorVisit visit, Path folder) {
    if (visit == null) {
      return new QemuDetachment(claimed, null, false);
    }
    Monitor monitor = visit.monitor();
    boolean running = false;
    try {
      running = monitor.running();
      if (running) {
        monitor.stop();
      }
      keepMachine(visit, folder, running);
      return new QemuDetachment(claimed, monitor, running);
    } catch (QmpException e) {
      if (running) {
        goOnQuietly(monitor, e);
      }
      throw new FailureException(
          "the guest could not be stopped by its monitor; --qmp none does without it: "
              + e.getMessage(),
          e);
    }
  }

  private static void keepMachine(MonitorVisit visit, Path folder, boolean running) {
    try {
      visit.keepMachine(folder, running);
    } catch (RuntimeException e) {
      if (running) {
        goOnQuietly(visit.monitor(), e);
      }
      throw new FailureException(
          "the machine could not be kept for another QEMU; leave out --machine to do without it: "
              + e.getMessage(),
          e);
    }
  }

  private static void goOnQuietly(Monitor monitor, RuntimeException because) {
    try {
      monitor.goOn();
    } catch (QmpException e) {
      because.addSuppressed(e);
    }
  }

  @Override
  public void settle(SettleContext context) {
    // A stopped guest rests wherever its threads stand.
  }

  @Override
  public void begin() {
    // Nothing of it goes on by itself.
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<Recorded> all = new ArrayList<>();
    String mark = monitor == null ? "" : monitor.mark().name();
    for (DescriptorResource connection : claimed) {
      int flags = context.infoNow(connection).flags();
      JsonTree state = new JsonTree(new MonitorImage(stopped, mark));
      all.add(new Recorded(connection.fd(), flags, "monitor", state, 0));
    }
    return all;
  }

  @Override
  public void resume() {
    if (monitor == null || !stopped) {
      return;
    }
    try {
      monitor.goOn();
    } catch (QmpClosedException ended) {
      // With the target gone there is nobody to go on.
    } catch (QmpException e) {
      throw new FailureException(
          "the guest could not be let go on by its monitor: say cont there; " + e.getMessage(), e);
    }
  }

  @Override
  public long finish() {
    return 0;
  }
}
