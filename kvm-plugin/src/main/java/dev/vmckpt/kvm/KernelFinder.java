// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.events.IoEventFdSweep;
import dev.vmckpt.kvm.events.IoEventFds;
import dev.vmckpt.kvm.events.IrqFds;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.Area;
import dev.vmckpt.kvm.slots.FoundSlots;
import dev.vmckpt.kvm.slots.SlotCheck;
import dev.vmckpt.kvm.slots.SlotSearch;
import dev.vmckpt.kvm.slots.SlotSearch.Stillness;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Finds out by asking the kernel, see the packages {@code slots} and {@code events}. */
public final class KernelFinder implements MachineFinder {
  private final boolean memFd;
  private @Nullable FoundSlots found;
  private List<Area> areas = List.of();

  /** With every question the kernel answers. */
  public KernelFinder() {
    this(true);
  }

  /**
   * @param memFd whether slots may be asked for by KVM_MEM_GUEST_MEMFD, as Linux 6.18 answers it
   */
  public KernelFinder(boolean memFd) {
    this.memFd = memFd;
  }

  @Override
  public List<SlotImage> slots(
      RemoteTask task, RemoteFd vm, int pid, List<SlotImage> hints, Stillness stillness) {
    try {
      areas = Area.parse(Files.readString(Path.of("/proc/" + pid + "/maps")));
    } catch (IOException e) {
      throw new TargetGoneException("process " + pid + " is gone", e);
    }
    FoundSlots all = SlotSearch.search(task, vm, areas, hints, memFd, stillness);
    found = all;
    return all.slots();
  }

  @Override
  public Optional<List<SlotImage>> confirm(
      RemoteTask task, RemoteFd vm, @Nullable SlotCheck asked) {
    FoundSlots last = found;
    if (last == null) {
      return Optional.empty();
    }
    Optional<FoundSlots> same =
        asked == null ? SlotSearch.confirm(task, vm, last, memFd) : asked.judge();
    return same.or(() -> searchAgain(task, vm, last)).map(FoundSlots::slots);
  }

  private Optional<FoundSlots> searchAgain(RemoteTask task, RemoteFd vm, FoundSlots last) {
    FoundSlots again = SlotSearch.search(task, vm, areas, last.slots(), memFd, Runnable::run);
    return SlotSearch.confirm(task, vm, again, memFd);
  }

  @Override
  public @Nullable SlotCheck prepare(RemoteTask task, RemoteFd vm) {
    FoundSlots last = found;
    return last == null ? null : SlotSearch.prepare(task, vm, last, memFd);
  }

  @Override
  public @Nullable IoEventFdSweep prepare(List<RemoteFd> eventFds, List<IoEventFdImage> hints) {
    return hints.isEmpty() ? IoEventFds.prepare(eventFds) : null;
  }

  @Override
  public List<IrqFdImage> irqFds(
      RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IrqFdImage> hints) {
    return IrqFds.find(task, vm, eventFds, hints);
  }

  @Override
  public List<IoEventFdImage> ioEventFds(
      RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IoEventFdImage> hints) {
    // With a record there is nothing to be searched for, and nothing to be taken off.
    return hints.isEmpty()
        ? IoEventFds.find(task, vm, eventFds, IoEventFds.virtioMmio())
        : IoEventFds.still(task, vm, hints);
  }
}
