// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteTask;

/** What an adapter may use while it brings the outside to rest. */
public interface DetachContext {
  int pid();

  FileCloner cloner();

  /** Who of the outside can keep disks. */
  java.util.List<DiskKeeper> keepers();

  /** The folder of the snapshot that is being written: absolute, empty of what others put there. */
  java.nio.file.Path folder();

  /**
   * A task of ours in the target's address space, with its descriptors, which makes calls while the
   * target runs and while it is frozen. Made at the first call, which stops the target for some
   * hundred microseconds; it lives until the target has resumed.
   */
  RemoteTask lodger();

  /**
   * Stops all threads of the target while {@code work} is done, which is announced if it may take
   * more than milliseconds. The lodger can be used meanwhile, if it was asked for before.
   */
  void frozen(Runnable work);

  /**
   * Tells the user something while the target still runs, for example how much will be copied in
   * the pause.
   */
  void announce(String message);
}
