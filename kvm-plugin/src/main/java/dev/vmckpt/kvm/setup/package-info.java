// SPDX-License-Identifier: Apache-2.0
/**
 * What KVM never tells back, heard when it was set: by {@code vmckpt run}, or by the process itself
 * when it is brought back, and kept in a file beside its pid.
 *
 * <p>{@link dev.vmckpt.kvm.setup.KvmSetup} is the listener, {@link dev.vmckpt.kvm.setup.SetupFile}
 * the file. What is made of it at a snapshot does not belong here.
 */
@NullMarked
package dev.vmckpt.kvm.setup;

import org.jspecify.annotations.NullMarked;
