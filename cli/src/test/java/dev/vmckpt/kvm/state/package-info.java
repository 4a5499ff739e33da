// SPDX-License-Identifier: Apache-2.0
/** Groups of state, held against machines in this very process. */
@org.jspecify.annotations.NullMarked
package dev.vmckpt.kvm.state;
