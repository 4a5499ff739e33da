// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import java.util.List;
import java.util.Optional;

/**
 * What a recorder heard while a monitor set its virtual machines up: the last state of everything,
 * with what was removed again left out.
 *
 * @param settled whether the recorder stayed until nothing more came; else something may be missing
 * @param machines the virtual machines that were there when it let go, in the order of their making
 */
public record SetupImage(boolean settled, List<Machine> machines) {

  /**
   * One virtual machine.
   *
   * @param fd its descriptor's number in the monitor, or that of one of its duplicates
   * @param vmType the argument of KVM_CREATE_VM
   * @param vcpus the ids of its vcpus, in the order of their making
   * @param calls what was set; the last of several that replace each other, where that one stood
   * @param slots its memory slots then: a hint, for a guest moves some while it runs
   * @param irqFds its irqfds then: a hint
   * @param ioEventFds its ioeventfds then: a hint
   */
  public record Machine(
      int fd,
      long vmType,
      List<Integer> vcpus,
      List<SettingsImage.Call> calls,
      List<SlotImage> slots,
      List<IrqFdImage> irqFds,
      List<IoEventFdImage> ioEventFds) {}

  /** The machine behind a descriptor; empty if the recorder knew none there. */
  public Optional<Machine> machine(int fd) {
    for (Machine machine : machines) {
      if (machine.fd() == fd) {
        return Optional.of(machine);
      }
    }
    return Optional.empty();
  }
}
