// SPDX-License-Identifier: Apache-2.0
/**
 * What a process is beside its memory and its descriptors: threads, signals, timers, credentials,
 * limits, clocks. One class each: captured inside the pause, restored in a husk.
 */
@NullMarked
package dev.vmckpt.ckpt.task;

import org.jspecify.annotations.NullMarked;
