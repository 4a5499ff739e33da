// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.file.Path;
import java.util.Map;

/** What an adapter may use to make a resource again. */
public interface ReattachContext {
  RemoteTask husk();

  /**
   * Moves a descriptor out of the way of all numbers that are wanted; what is still parked when the
   * restore is complete is closed.
   *
   * @return where it is now
   */
  RemoteFd park(RemoteFd fd);

  /**
   * A socket of the husk as a channel of ours, on which somebody can have the last word if we die
   * when the process has been let go. The caller closes it.
   */
  GuardedChannel pull(RemoteFd fd);

  /** The folder of the snapshot; nothing in it may be changed. */
  Path snapshot();

  /**
   * A folder of this restore's own, for copies the restored process works on; made at its first
   * use.
   */
  Path work();

  /** Whether saved disks go back under their original paths. */
  boolean inPlace();

  /** {@code --reattach KEY:VALUE}, by key; the keys are {@code fd:N} and the words of adapters. */
  Map<String, String> reattach();

  FileCloner cloner();

  /** Tells the user how something came back that did not come back as it was. */
  void note(String message);
}
