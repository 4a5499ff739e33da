// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One area of an address space.
 *
 * @param start its first address
 * @param end the address behind it
 * @param protection PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4, or-ed
 * @param source where its untouched pages come from
 * @param file the mapped file, for {@link Source#FILE} and {@link Source#SHARED_FILE}
 * @param fileOffset the offset of {@code start} in that file, in bytes
 * @param descriptor for {@link Source#DESCRIPTOR} the id of the open file description it maps; for
 *     {@link Source#SHARED_MEMORY} a number that all areas of one memory have; else -1
 * @param imageOffset the offset of {@code start} in the file of pages: page p of the area lies at
 *     {@code imageOffset + p × pageSize}
 * @param dataBytes how many bytes of it the file of pages holds
 * @param vmFlags the two-letter flags of /proc/PID/smaps that have to be made again
 * @param name what {@code prctl(PR_SET_VMA_ANON_NAME)} or {@code memfd_create} called it, or null
 */
public record AreaImage(
    RemoteAddress start,
    RemoteAddress end,
    int protection,
    Source source,
    @Nullable FileIdentity file,
    long fileOffset,
    int descriptor,
    long imageOffset,
    long dataBytes,
    List<String> vmFlags,
    @Nullable String name) {

  /** Where the pages come from that the image does not hold. */
  public enum Source {
    /** Zeros, private. */
    ANONYMOUS,
    /** A private mapping of a file that is still there. */
    FILE,
    /** Zeros, shared within the set and with nobody else. */
    SHARED_ANONYMOUS,
    /** The same, of a memory that several areas show, or that has a name: an unopened memfd. */
    SHARED_MEMORY,
    /** A shared mapping of a file that is only read. */
    SHARED_FILE,
    /** A shared mapping of a descriptor that is in the snapshot, for example a memfd. */
    DESCRIPTOR
  }

  /** Its length in bytes. */
  public long length() {
    return end.value() - start.value();
  }
}
