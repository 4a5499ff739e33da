// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import java.util.Set;

/**
 * What a command inherits that the Java machine has changed for itself.
 *
 * @param ignoredSignals the signals that are ignored, as SigIgn in {@code /proc/PID/status}: bit
 *     N-1 for signal N
 * @param blockedSignals the signals that are blocked, likewise
 * @param openFiles the soft limit of open files, or -1 to leave it
 * @param descriptors the descriptors that are handed on
 */
public record Inherited(
    long ignoredSignals, long blockedSignals, long openFiles, Set<Integer> descriptors) {}
