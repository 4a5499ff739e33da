// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * Where a process stands in the file system.
 *
 * @param workingDirectory an absolute path
 * @param root {@code /}, or where the process was chrooted to
 * @param umask the mask, 0 to 0777
 */
public record FsImage(String workingDirectory, String root, int umask) {}
