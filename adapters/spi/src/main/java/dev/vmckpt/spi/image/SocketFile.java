// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * Who may use the file of a UNIX socket (unix(7), inode(7)).
 *
 * @param mode its permissions, 0 to 07777
 * @param owner the number of its user, as vmckpt sees it
 * @param group the number of its group, as vmckpt sees it
 */
public record SocketFile(int mode, int owner, int group) {}
