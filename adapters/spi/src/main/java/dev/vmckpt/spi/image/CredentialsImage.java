// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import java.util.List;

/**
 * Who a process is (credentials(7), capabilities(7)).
 *
 * @param userIds real, effective, saved, file system
 * @param groupIds real, effective, saved, file system
 * @param groups the supplementary groups
 * @param capabilities inheritable, permitted, effective, bounding, ambient, as bit masks
 * @param secureBits prctl(PR_GET_SECUREBITS)
 * @param noNewPrivileges prctl(PR_GET_NO_NEW_PRIVS)
 * @param dumpable prctl(PR_GET_DUMPABLE), 0 to 2
 * @param parentDeathSignal prctl(PR_GET_PDEATHSIG), 0 for none
 * @param childSubreaper prctl(PR_GET_CHILD_SUBREAPER)
 * @param personality personality(2)
 * @param oomScoreAdjustment /proc/PID/oom_score_adj, -1000 to 1000
 */
public record CredentialsImage(
    List<Integer> userIds,
    List<Integer> groupIds,
    List<Integer> groups,
    List<Long> capabilities,
    int secureBits,
    boolean noNewPrivileges,
    int dumpable,
    int parentDeathSignal,
    boolean childSubreaper,
    int personality,
    int oomScoreAdjustment) {}
