// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/**
 * Somebody outside who holds the monitor of a target (QMP), which serves one client at a time, and
 * passes on what others have to say there.
 */
public interface MonitorPassage {
  /** Who that is, for people. */
  String holder();

  /**
   * Opens the passage. What passes is QMP behind its negotiation: a command is one line and is
   * answered by one. Of the events only RESUME comes through, when somebody lets the guest go on.
   *
   * <p>The {@linkplain GuardedChannel#setLastWords last words} of this channel are also said to the
   * monitor when the target has been restored: it is then as it was when we last could have died.
   */
  GuardedChannel open();
}
