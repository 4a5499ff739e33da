// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/** What an adapter may use when the restored process runs. */
public interface RestartedContext {
  /** The restored process in our pid namespace. */
  int pid();

  /** Tells the user something. */
  void note(String message);
}
