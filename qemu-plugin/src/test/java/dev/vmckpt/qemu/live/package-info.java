// SPDX-License-Identifier: Apache-2.0
@NullMarked
package dev.vmckpt.qemu.live;

import org.jspecify.annotations.NullMarked;
