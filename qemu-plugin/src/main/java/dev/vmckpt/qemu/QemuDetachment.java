// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.disks.Backups;
import dev.vmckpt.qemu.plug.PlugMark;
import dev.vmckpt.qmp.EventQueue;
import dev.vmckpt.qmp.QmpClosedException;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.json.JsonTree;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A guest that its monitor keeps stopped, by us or by whoever did before. */
final class QemuDetachment implements Detachment {
  private final List<DescriptorResource> claimed;
  private final @Nullable MonitorVisit visit;
  private final Keepsakes keepsakes;
  private boolean stopped;
  private boolean recorded;
  private @Nullable EventQueue events;

  private QemuDetachment(
      List<DescriptorResource> claimed, @Nullable MonitorVisit visit, Keepsakes keepsakes) {
    this.claimed = claimed;
    this.keepsakes = keepsakes;
    this.visit = visit;
  }

  /**
   * Stops the guest, if there is a monitor and it runs; and keeps its machine, if that is wished.
   *
   * <p>Nothing of the guest moves between here and the pause: the state of its devices is of the
   * same instant as its memory.
   *
   * @param visit null if there is no monitor
   */
  static QemuDetachment begin(
      List<DescriptorResource> claimed, @Nullable MonitorVisit visit, DetachContext context) {
    QemuDetachment detachment =
        new QemuDetachment(claimed, visit, new Keepsakes(context.pid(), context.folder()));
    if (visit != null) {
      detachment.doing(
          "the guest could not be stopped by its monitor; --qmp none does without it: ",
          () -> detachment.stop(visit.monitor()));
      detachment.doing(
          "the machine could not be kept for another QEMU; without --machine it need not be: ",
          () -> visit.keepMachine(context, detachment.stopped));
    }
    return detachment;
  }

  private void stop(Monitor monitor) {
    events = monitor.qmp().events().queue();
    stopped = monitor.running();
    if (stopped) {
      monitor.stop();
    }
  }

  /** Does something for which the guest goes on again if it fails. */
  private void doing(String failed, Runnable work) {
    try {
      work.run();
    } catch (RuntimeException e) {
      try {
        resume();
      } catch (FailureException worse) {
        e.addSuppressed(worse);
      }
      throw e instanceof RefusedException ? e : new FailureException(failed + e.getMessage(), e);
    }
  }

  @Override
  public boolean guestRests() {
    return visit != null;
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<Recorded> all = new ArrayList<>();
    recorded = true;
    keepsakes.mark();
    String mark = visit == null ? "" : visit.monitor().mark().name();
    PlugMark unplugged = visit == null ? null : visit.unplugged();
    for (DescriptorResource connection : claimed) {
      int flags = context.infoNow(connection).flags();
      JsonTree state = new JsonTree(new MonitorImage(stopped, mark, unplugged));
      all.add(new Recorded(connection.fd(), flags, "monitor", state, 0));
    }
    return all;
  }

  @Override
  public void resume() {
    EventQueue heard = events;
    if (visit == null || heard == null) {
      return;
    }
    Monitor monitor = visit.monitor();
    Backups disks = visit.backups();
    String spoilt = "";
    try (heard) {
      if (wentOn(monitor, heard)) {
        spoilt = "somebody else let the guest go on while it was being saved: try again";
      }
    } catch (QmpException e) {
      spoilt =
          "it is not known whether the guest stood still while it was being saved: " + words(e);
    }
    if (disks != null) {
      spoilt = begin(disks, spoilt);
    }
    try {
      if (stopped) {
        monitor.goOn();
      }
      if (disks != null) {
        disks.release();
      }
      if (recorded) {
        keepsakes.ask(monitor.qmp());
      }
    } catch (QmpClosedException ended) {
      // With the target gone there is nobody to go on.
    } catch (QmpException e) {
      throw new FailureException(
          "the guest could not be let go on by its monitor, say cont there: " + words(e), e);
    }
    if (!spoilt.isEmpty()) {
      throw new FailureException(spoilt);
    }
  }

  /**
   * Begins to keep disks: this is still the instant of the pause.
   *
   * @return why nothing comes of it
   */
  private String begin(Backups disks, String spoilt) {
    try {
      if (recorded && spoilt.isEmpty()) {
        disks.begin();
      } else {
        disks.giveUp();
      }
      return spoilt;
    } catch (FailureException e) {
      return words(e);
    }
  }

  private static String words(RuntimeException e) {
    return String.valueOf(e.getMessage());
  }

  /** Whether the guest ran since it was found stopped, or we stopped it. */
  private static boolean wentOn(Monitor monitor, EventQueue heard) {
    // Behind this answer all events are here that came before it.
    boolean runs = monitor.running();
    for (QmpEvent event = heard.poll(); event != null; event = heard.poll()) {
      runs |= event.name().equals("RESUME");
    }
    return runs;
  }

  @Override
  public long finish() {
    keepsakes.keep();
    return 0;
  }
}
