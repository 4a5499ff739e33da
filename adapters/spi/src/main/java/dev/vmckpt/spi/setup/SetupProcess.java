// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.setup;

import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/** A process that is being listened to, at the moment of a call of one of its threads. */
public interface SetupProcess {
  /** Its process id in our pid namespace. */
  int pid();

  /**
   * Copies {@code length} bytes out of it.
   *
   * @return empty if they are not all there
   */
  Optional<byte[]> tryRead(RemoteAddress from, int length);

  /** What {@code /proc/PID/fd/N} leads to; empty if there is no such descriptor. */
  Optional<String> tryLink(RemoteFd fd);
}
