// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

/**
 * {@code /dev/kvm}.
 *
 * @param apiVersion KVM_GET_API_VERSION, always 12
 */
public record SystemImage(int apiVersion) {}
