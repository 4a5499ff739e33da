// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.List;

/**
 * One area of an address space, as {@code /proc/PID/maps} and {@code smaps} show it.
 *
 * @param start its first address
 * @param end the address behind it
 * @param protection PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4, or-ed
 * @param shared MAP_SHARED
 * @param offset where in its file it begins, in bytes
 * @param major the major number of the file system of its file
 * @param minor the minor number of it
 * @param inode the inode number of its file, 0 for none
 * @param path its file, or a name like {@code [stack]}; empty if it has none
 * @param deleted whether the kernel said that the file has no name any more
 * @param vmFlags the two-letter flags of {@code smaps}; empty when read from {@code maps}
 */
public record ProcArea(
    long start,
    long end,
    int protection,
    boolean shared,
    long offset,
    int major,
    int minor,
    long inode,
    String path,
    boolean deleted,
    List<String> vmFlags) {

  /** Its length in bytes. */
  public long length() {
    return end - start;
  }

  /** Whether {@code smaps} gave it this flag. */
  public boolean has(String vmFlag) {
    return vmFlags.contains(vmFlag);
  }
}
