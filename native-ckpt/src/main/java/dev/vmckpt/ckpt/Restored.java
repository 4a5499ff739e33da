// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import java.util.List;

/**
 * A process that runs again.
 *
 * @param pid its number in our pid namespace
 * @param innerPid its number in its own: the one it had when it was saved
 * @param supervisor the process whose exit status tells how it ended: itself, or the init of its
 *     pid namespace; a child of ours
 * @param micros how long it took, in microseconds
 * @param lazy whether some of its memory still lies in the image
 * @param notes what came back otherwise than it was, whole sentences
 */
public record Restored(
    int pid, int innerPid, int supervisor, long micros, boolean lazy, List<String> notes) {}
