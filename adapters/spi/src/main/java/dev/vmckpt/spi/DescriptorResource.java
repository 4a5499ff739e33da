// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;

/**
 * An open file description of the target: one resource, held at one or more numbers.
 *
 * @param pid the process that holds it
 * @param numbers the numbers it is held at, ascending, at least one
 * @param closeOnExec for each number, whether FD_CLOEXEC is set
 * @param link what {@code /proc/PID/fd/N} points to
 * @param stat what stat(2) says of it
 * @param info what {@code /proc/PID/fdinfo/N} says of it
 */
public record DescriptorResource(
    int pid,
    List<RemoteFd> numbers,
    List<Boolean> closeOnExec,
    String link,
    FileStat stat,
    FdInfo info) {

  /** The lowest of its numbers. */
  public RemoteFd fd() {
    return numbers.get(0);
  }

  /** Its name in messages and in {@code --drop}: {@code fd:12}. */
  public String name() {
    return fd().toString();
  }

  /** {@code /proc/PID/fd/N}, through which the very object can be opened again. */
  public String procPath() {
    return "/proc/" + pid + "/fd/" + fd().number();
  }
}
