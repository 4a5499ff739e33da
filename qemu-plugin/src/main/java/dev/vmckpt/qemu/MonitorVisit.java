// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.disks.Backups;
import dev.vmckpt.qemu.disks.Leftovers;
import dev.vmckpt.qemu.machine.MachineRecorder;
import dev.vmckpt.qemu.marks.Mark;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.plug.DeviceFinder;
import dev.vmckpt.qemu.plug.PlugMark;
import dev.vmckpt.qemu.plug.PluggedDevice;
import dev.vmckpt.qemu.plug.Unplugged;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.MonitorPassage;
import dev.vmckpt.spi.Visit;
import dev.vmckpt.spi.VisitContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.proc.UnixSockets;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The monitor of a target, and which of the target's sockets is its end of our connection. */
final class MonitorVisit implements Visit {
  /** The word of the user's wish: where the monitor is, or {@link #NONE}. */
  static final String OPTION = "qmp";

  static final String NONE = "none";

  /** The word of the user's wish to keep the machine too, for another QEMU; its value is empty. */
  static final String MACHINE = "machine";

  /** The word of the user's wish to unplug devices for the snapshot: their ids, with commas. */
  static final String UNPLUG = "unplug";

  /** Others may connect to the target right when we do. */
  private static final int ATTEMPTS = 3;

  private static final List<MonitorPassage> NO_PASSAGES = List.of();

  private final Monitor monitor;

  /** The target's end of our connection; empty if there is none. */
  private final String link;

  private final Runnable closed;
  private final int pid;
  private final FileCloner cloner;
  private @Nullable Backups backups;
  private @Nullable MachineRecorder machine;
  private @Nullable Unplugged unplugged;

  private MonitorVisit(VisitContext context, Monitor monitor, String link, Runnable closed) {
    this.monitor = monitor;
    pid = context.pid();
    cloner = context.cloner();
    this.link = link;
    this.closed = closed;
  }

  /**
   * Looks for a monitor and takes it.
   *
   * @param closed is told when it is given back
   * @return empty if there is none, if the user wants none, or if somebody else has it: the user is
   *     told that
   * @throws RefusedException if the machine is to be kept or a device to be unplugged, and cannot
   *     be, or there is no monitor for it
   */
  static Optional<MonitorVisit> make(VisitContext context, Runnable closed) {
    Map<String, String> options = context.options();
    String wish = options.getOrDefault(OPTION, "");
    boolean machine = options.containsKey(MACHINE);
    Set<String> devices = devices(options);
    String needed = machine ? "--machine" : devices.isEmpty() ? "" : "--unplug";
    if (machine && !devices.isEmpty()) {
      throw new UsageException(
          "--machine goes without --unplug: another QEMU would have to be told of that device");
    }
    if (wish.equals(NONE)) {
      if (!needed.isEmpty()) {
        throw new UsageException(needed + " asks the monitor of QEMU: it goes without --qmp none");
      }
      return Optional.empty();
    }
    List<String> reasons = new ArrayList<>();
    for (SocketAddress place : MonitorFinder.of(context.pid(), wish)) {
      MonitorVisit visit;
      try {
        visit = take(context, place, closed);
      } catch (QmpException | SyscallException | FailureException e) {
        reasons.add(e.getMessage() + "");
        continue;
      }
      return Optional.of(
          machine ? visit.withMachine() : devices.isEmpty() ? visit : visit.without(devices));
    }
    for (MonitorPassage passage : wish.isEmpty() ? context.passages() : NO_PASSAGES) {
      try {
        MonitorVisit visit = take(context, passage, closed);
        return Optional.of(
            machine ? visit.withMachine() : devices.isEmpty() ? visit : visit.without(devices));
      } catch (QmpException | FailureException e) {
        reasons.add("by " + passage.holder() + ": " + e.getMessage());
      }
    }
    if (!needed.isEmpty()) {
      throw noMonitor(context.pid(), needed, reasons);
    }
    if (!reasons.isEmpty()) {
      context.note(
          "the guest was not stopped by its monitor before it was saved, so its clock will have"
              + " jumped when it is restored: "
              + String.join("; ", reasons));
    }
    return Optional.empty();
  }

  /** The devices that are to be unplugged. */
  private static Set<String> devices(Map<String, String> options) {
    Set<String> ids = new LinkedHashSet<>(List.of(options.getOrDefault(UNPLUG, "").split(",", -1)));
    ids.remove("");
    return ids;
  }

  private static RefusedException noMonitor(int pid, String needed, List<String> reasons) {
    return new RefusedException(
        needed,
        List.of(
            new Refusal(
                "monitor of " + pid,
                reasons.isEmpty()
                    ? "none is on its command line"
                    : "it was not to be had: " + String.join("; ", reasons),
                "start QEMU with -qmp unix:PATH,server=on,wait=off, say where it is with --qmp, or"
                    + " leave out "
                    + needed)));
  }

  /** Asks for what can be asked while the guest runs. Whatever goes wrong closes this. */
  private MonitorVisit withMachine() {
    MachineRecorder recorder = new MachineRecorder(pid);
    try {
      List<Refusal> obstacles = recorder.prepare(monitor.qmp());
      RefusedException.throwIfAny(MachineRecorder.KEEPING, obstacles);
      machine = recorder;
      return this;
    } catch (QmpException e) {
      throw new FailureException("--machine: " + e.getMessage(), e);
    } finally {
      if (machine == null) {
        close();
      }
    }
  }

  /** Unplugs devices. Whatever goes wrong plugs them in again and closes this. */
  private MonitorVisit without(Set<String> ids) {
    try {
      if (!monitor.running()) {
        throw new RefusedException(
            Unplugged.UNPLUGGING,
            List.of(
                new Refusal(
                    "guest",
                    "it is stopped, and only one that runs lets go of a device",
                    "let it go on (cont), or leave out --unplug")));
      }
      List<PluggedDevice> devices = new DeviceFinder(pid, monitor.qmp()).find(ids);
      Unplugged prepared = Unplugged.prepare(pid, monitor.qmp(), devices, monitor::setPlugging);
      unplugged = prepared;
      prepared.takeOff(monitor.qmp());
      OpenDescriptors.awaitRest(pid);
      return this;
    } catch (QmpException e) {
      throw closed(new FailureException("--unplug: " + e.getMessage(), e));
    } catch (RefusedException e) {
      throw closed(e);
    }
  }

  private <E extends RuntimeException> E closed(E because) {
    try {
      close();
    } catch (FailureException | QmpException e) {
      because.addSuppressed(e);
    }
    return because;
  }

  /** What was unplugged; null if nothing was. */
  @Nullable PlugMark unplugged() {
    Unplugged devices = unplugged;
    return devices == null ? null : devices.mark();
  }

  @Override
  public void captured() {
    Unplugged devices = unplugged;
    if (devices != null) {
      // Once: what cannot be plugged in now cannot in a moment, and is for the next who looks.
      unplugged = null;
      try {
        monitor.certainly(devices::plugAgain);
        monitor.setPlugging("");
      } catch (QmpException e) {
        throw new FailureException(
            "what was unplugged could not be plugged in again by the monitor: " + e.getMessage(),
            e);
      }
    }
  }

  private static MonitorVisit take(VisitContext context, SocketAddress place, Runnable closed) {
    requireFree(context.pid(), place);
    for (int attempt = 1; ; attempt++) {
      Set<String> before = UnixSockets.links(context.pid());
      Monitor monitor = Monitor.meet(() -> context.connect(place, Monitor.GREETING));
      boolean taken = false;
      try {
        Set<String> after = UnixSockets.links(context.pid());
        after.removeAll(before);
        if (after.size() == 1) {
          goOnForTheDead(monitor, context);
          undoForTheDead(monitor, context);
          taken = true;
          return new MonitorVisit(context, monitor, after.iterator().next(), closed);
        }
        if (attempt == ATTEMPTS) {
          throw new FailureException(
              "the monitor's end of the connection is not to be found among the sockets of "
                  + context.pid());
        }
      } finally {
        if (!taken) {
          monitor.close();
        }
      }
    }
  }

  /** Takes a monitor that somebody else holds: none of the target's sockets is ours then. */
  private static MonitorVisit take(VisitContext context, MonitorPassage passage, Runnable closed) {
    Monitor monitor = Monitor.meet(passage);
    boolean taken = false;
    try {
      goOnForTheDead(monitor, context);
      taken = true;
      return new MonitorVisit(context, monitor, "", closed);
    } finally {
      if (!taken) {
        monitor.close();
      }
    }
  }

  /** A monitor serves one client at a time; another would wait in the kernel's queue. */
  private static void requireFree(int pid, SocketAddress place) {
    Path directory = CommandLine.directoryOf(pid);
    for (String held : UnixSockets.held(pid)) {
      if (place.equals(UnixDomainSocketAddress.of(directory.resolve(held)))) {
        throw new FailureException(
            "somebody else holds "
                + held
                + (held.contains("/libvirt/") ? "; name the domain: libvirt:NAME" : ""));
      }
    }
  }

  /** Undoes that a vmckpt stopped the guest which was killed together with its guard. */
  private static void goOnForTheDead(Monitor monitor, VisitContext context) {
    for (Mark mark : Mark.all(monitor.qmp())) {
      if (mark.isAlive()) {
        throw new FailureException("another vmckpt has stopped this guest: " + mark.name());
      }
      if (!monitor.running()) {
        monitor.qmp().execute("cont");
        context.note("the guest was stopped by a vmckpt that died: it was let go on first");
      }
      mark.tryRemove(monitor.qmp());
    }
  }

  private static void undoForTheDead(Monitor monitor, VisitContext context) {
    Unplugged.plugForTheDead(context.pid(), monitor.qmp()).forEach(context::note);
    if (!Leftovers.undo(monitor.qmp()).isEmpty()) {
      context.note("what a vmckpt that died had begun with the disks was undone first");
    }
  }

  Monitor monitor() {
    return monitor;
  }

  /** Keeps the machine of a stopped guest in the folder of its snapshot, if that is wished. */
  void keepMachine(DetachContext context, boolean ranBefore) {
    MachineRecorder recorder = machine;
    if (recorder != null) {
      recorder.requireKnownUse(context::lodger);
      recorder.record(monitor.qmp(), context.folder(), ranBefore);
    }
  }

  /** Whether a resource is the target's end of our connection. */
  boolean isOurs(DescriptorResource resource) {
    return resource.link().equals(link);
  }

  /**
   * QEMU itself, as soon as anybody asks; a graph that it does not tell has no keeper. Nobody
   * through a passage: what becomes of a job is told by events, which do not come through.
   */
  @Override
  public List<DiskKeeper> keepers() {
    if (link.isEmpty()) {
      return List.of();
    }
    Backups made = backups;
    if (made == null) {
      try {
        made = new Backups(monitor.qmp(), pid, cloner, monitor::setUndo);
      } catch (QmpException e) {
        return List.of();
      }
      backups = made;
    }
    return List.of(made);
  }

  @Override
  public List<MonitorPassage> passages() {
    return List.of();
  }

  @Override
  public boolean canRest() {
    return true;
  }

  /** What keeps disks; null if nobody asked. */
  @Nullable Backups backups() {
    return backups;
  }

  @Override
  public void close() {
    closed.run();
    try (monitor) {
      try {
        captured();
      } finally {
        Backups made = backups;
        if (made != null) {
          made.close();
        }
      }
    }
  }
}
