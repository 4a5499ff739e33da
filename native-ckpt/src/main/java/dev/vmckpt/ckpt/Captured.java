// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.HostFacts;
import dev.vmckpt.spi.image.ProcessImage;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A saved target, complete but for the store's own words: what goes into a manifest.
 *
 * @param parent the id of the snapshot the target had been restored from, or null
 * @param created when it was frozen, ISO-8601 in UTC
 * @param host facts of this machine
 * @param capture how the pages were captured
 * @param processes the processes of the set
 * @param files the files written so far whose checksums are known already, by path within the
 *     folder; they are not yet on disk for certain. {@code modifiedNanos} is not filled in yet
 * @param notes what the user should know, whole sentences
 */
public record Captured(
    @Nullable String parent,
    String created,
    HostFacts host,
    CaptureFacts capture,
    List<ProcessImage> processes,
    Map<String, FileEntry> files,
    List<String> notes) {}
