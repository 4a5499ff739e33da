// SPDX-License-Identifier: Apache-2.0
/**
 * The numbers of KVM's interface: requests, capabilities, sizes and offsets of its structures, as
 * constants and nothing else. A test holds every one of them against the system's headers.
 */
@NullMarked
package dev.vmckpt.kvm.api;

import org.jspecify.annotations.NullMarked;
