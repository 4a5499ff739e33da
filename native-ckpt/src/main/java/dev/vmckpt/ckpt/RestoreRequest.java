// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.spi.image.Manifest;
import java.nio.file.Path;
import java.util.Map;

/**
 * What is to be brought back.
 *
 * @param folder the folder of the snapshot; nothing in it is changed
 * @param manifest its manifest
 * @param work a folder of this restore's own, absolute; it need not exist
 * @param lazy whether big areas are mapped from the image instead of being read
 * @param inPlace whether saved disks go back under their original paths
 * @param reattach where connections go instead, for example {@code fd:1} to {@code /tmp/out.log}
 */
public record RestoreRequest(
    Path folder,
    Manifest manifest,
    Path work,
    boolean lazy,
    boolean inPlace,
    Map<String, String> reattach) {}
