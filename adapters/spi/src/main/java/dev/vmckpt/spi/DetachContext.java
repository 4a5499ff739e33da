// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/** What an adapter may use while it brings the outside to rest. */
public interface DetachContext {
  int pid();

  FileCloner cloner();

  /** The folder of the snapshot that is being written: absolute, empty of what others put there. */
  java.nio.file.Path folder();

  /**
   * Tells the user something while the target still runs, for example how much will be copied in
   * the pause.
   */
  void announce(String message);
}
