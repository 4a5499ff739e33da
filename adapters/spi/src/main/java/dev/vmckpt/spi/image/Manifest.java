// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything a snapshot says about itself; its pages and disks are the other files of its folder.
 *
 * @param id 16 hexadecimal digits, unique in the store; also the folder's name
 * @param name the user's name for it, unique in the store, or null
 * @param tags the user's words about it
 * @param parent the id of the snapshot its target had been restored from, or null
 * @param created when the target was frozen, ISO-8601 in UTC
 * @param tool the version of vmckpt that wrote it
 * @param host facts of the machine that a restore depends on
 * @param capture how the pages were captured and how long that took
 * @param processes the processes of the set, each parent before its children
 * @param files the checksums of all other files, by their path within the folder
 */
public record Manifest(
    String id,
    @Nullable String name,
    List<String> tags,
    @Nullable String parent,
    String created,
    String tool,
    HostFacts host,
    CaptureFacts capture,
    List<ProcessImage> processes,
    Map<String, FileEntry> files) {
  /** The path, within the folder of a snapshot, of the file that holds a manifest. */
  public static final String FILE = "manifest.json";
}
