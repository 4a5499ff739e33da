// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import dev.vmckpt.spi.Finding;
import java.util.List;

/**
 * What a monitor set in a virtual machine and KVM does not tell back.
 *
 * @param source RECORDED if a recorder saw the machine being set up, else ASSUMED
 * @param vmType the argument of KVM_CREATE_VM
 * @param calls the calls as they were made, in their order
 */
public record SettingsImage(Finding.Source source, long vmType, List<Call> calls) {

  /**
   * One ioctl that was made on the virtual machine, a vcpu or a device, and succeeded.
   *
   * @param on {@code vm}, {@code vcpu:ID} or {@code device:FD}
   * @param name its name, for people: {@code KVM_SET_GSI_ROUTING}
   * @param request its number
   * @param argument the structure it was given, or for a plain number its eight bytes. Memory that
   *     a structure points to and the kernel reads during the call (the bitmaps of
   *     KVM_X86_SET_MSR_FILTER, the value of KVM_SET_DEVICE_ATTR) is kept behind it, and each such
   *     pointer holds the offset from the structure's beginning instead: see {@code
   *     dev.vmckpt.kvm.setup.Pointers}
   * @param plain whether the argument is a number, not the address of a structure
   */
  public record Call(String on, String name, long request, byte[] argument, boolean plain) {}
}
