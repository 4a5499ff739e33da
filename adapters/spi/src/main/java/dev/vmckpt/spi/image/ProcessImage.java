// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import java.util.List;

/**
 * One process.
 *
 * @param pid its number in the pid namespace it ran in
 * @param name its command name (at most 15 bytes)
 * @param commandLine its arguments
 * @param memory its address space
 * @param threads its threads, the leading one first
 * @param signals its signal handlers and what was pending
 * @param timers its interval and POSIX timers
 * @param clocks the clocks at the instant of the snapshot
 * @param credentials users, groups, capabilities
 * @param limits its resource limits, by their number 0 to 15
 * @param fs its working directory, root and umask
 * @param files its open file descriptions
 */
public record ProcessImage(
    int pid,
    String name,
    List<String> commandLine,
    MemoryImage memory,
    List<ThreadImage> threads,
    SignalsImage signals,
    TimersImage timers,
    ClocksImage clocks,
    CredentialsImage credentials,
    List<LimitImage> limits,
    FsImage fs,
    List<OpenFileImage> files) {}
