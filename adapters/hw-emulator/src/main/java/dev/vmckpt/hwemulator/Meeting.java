// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator;

import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.remote.RemoteFd;
import org.jspecify.annotations.Nullable;

/**
 * Whoever was called in place of the saved emulator, before anything is built: asked, and told
 * nothing that changes what it knows.
 *
 * @param socket the connection to it
 * @param refusal why it will not do, or null; there is no connection then
 */
public record Meeting(RemoteFd socket, @Nullable Refusal refusal) {
  /** One that will do. */
  public static Meeting with(RemoteFd socket) {
    return new Meeting(socket, null);
  }

  /**
   * One that will not.
   *
   * @param fd the recorded number of the connection
   * @param what the connection is, and where it was looked for
   * @param why it will not do
   * @param start how to start one that would, without the end of the sentence
   */
  public static Meeting refused(RemoteFd fd, String what, String why, String start) {
    return new Meeting(
        fd,
        new Refusal(
            fd + " " + what, why, start + ", or say where one is: --reattach " + fd + "=PATH"));
  }
}
