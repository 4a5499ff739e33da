// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.Map;

/** What an adapter may use before anything is built. */
public interface PreflightContext {
  /** A process of ours in which things may be tried; whatever is opened in it goes with it. */
  RemoteTask process();

  /**
   * Keeps a descriptor of that process: the husk will have it at the same number, until the restore
   * is complete.
   *
   * @return its number from now on
   */
  RemoteFd keep(RemoteFd fd);

  /** {@code --reattach KEY:VALUE}, by key; the keys are {@code fd:N} and the words of adapters. */
  Map<String, String> reattach();

  /** Tells the user what will come back otherwise than it was. */
  void note(String message);
}
