// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import java.util.List;

/**
 * An in-kernel device (KVM_CREATE_DEVICE).
 *
 * @param type KVM_DEV_TYPE_*
 * @param attributes what could be read of it
 */
public record DeviceImage(int type, List<Attribute> attributes) {
  /**
   * One attribute (struct kvm_device_attr).
   *
   * @param group its group
   * @param attribute its number within the group
   * @param value its bytes
   */
  public record Attribute(int group, long attribute, byte[] value) {}
}
