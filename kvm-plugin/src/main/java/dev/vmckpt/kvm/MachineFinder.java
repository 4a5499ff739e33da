// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.events.IoEventFdSweep;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.SlotCheck;
import dev.vmckpt.kvm.slots.SlotSearch.Stillness;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds what a monitor gave a virtual machine and KVM does not tell back: memory slots, and the
 * eventfds that are wired to it. One for each snapshot: it remembers what it found.
 */
public interface MachineFinder {
  /**
   * Finds all memory slots, without a side effect; the target may run, and is stopped if the kernel
   * cannot be asked otherwise. Takes up to some seconds.
   *
   * @param task makes the calls in the target
   * @param vm the vm's descriptor there
   * @param pid the target, whose {@code /proc/PID/maps} tells where memory may lie
   * @param hints slots that are likely, for example those found a while ago; they are verified
   * @param stillness stops the target
   */
  List<SlotImage> slots(
      RemoteTask task, RemoteFd vm, int pid, List<SlotImage> hints, Stillness stillness);

  /**
   * Checks in the frozen target that what {@link #slots} found last still are the slots, all of
   * them: a few microseconds a slot. A guest that programs its devices moves slots: then they are
   * looked for once more, with what was found as hints.
   *
   * @param asked what {@link #prepare} gave, asked in the frozen target; null to ask now
   * @return the slots, perhaps with the order of neighbours put right; empty if they cannot be told
   */
  Optional<List<SlotImage>> confirm(RemoteTask task, RemoteFd vm, @Nullable SlotCheck asked);

  /**
   * Prepares {@link #confirm} while the target runs: what it asks is then added to a batch that is
   * run in the pause.
   *
   * @return null if it cannot be prepared, or nothing was found yet
   */
  @Nullable SlotCheck prepare(RemoteTask task, RemoteFd vm);

  /**
   * Finds which eventfds raise an interrupt. The target must be frozen: each that is found is taken
   * off and put back.
   *
   * @param eventFds the eventfds of the target
   * @param hints those a recorder heard of
   */
  List<IrqFdImage> irqFds(
      RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IrqFdImage> hints);

  /**
   * Finds which eventfds are signalled by guest accesses. The target must be frozen: each that is
   * found is taken off and put back.
   *
   * @param eventFds the eventfds of the target
   * @param hints where some are likely, for example those a recorder heard of
   */
  List<IoEventFdImage> ioEventFds(
      RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IoEventFdImage> hints);

  /**
   * Prepares {@link #ioEventFds} while the target runs.
   *
   * @return null if it cannot be prepared
   */
  @Nullable IoEventFdSweep prepare(List<RemoteFd> eventFds, List<IoEventFdImage> hints);
}
