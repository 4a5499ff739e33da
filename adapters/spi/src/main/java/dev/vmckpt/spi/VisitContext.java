// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** What an adapter may use to meet the outside of a target. */
public interface VisitContext {
  int pid();

  FileCloner cloner();

  /** What the user wishes of this snapshot, by the words of adapters. */
  Map<String, String> options();

  /**
   * Connects to a socket of the outside in such a way that somebody can have the last word if we
   * die.
   *
   * @param address a {@link java.net.UnixDomainSocketAddress} or {@link java.net.InetSocketAddress}
   * @param timeout how long to wait for the connection to be taken
   * @throws dev.vmckpt.spi.error.SyscallException if there is nobody, or not in time
   */
  GuardedChannel connect(SocketAddress address, Duration timeout);

  /** A process that outlives us; there from now on, as none can be started after one's death. */
  Guard guard();

  /** Ways to the target's monitor that adapters before this one have opened; possibly none. */
  List<MonitorPassage> passages();

  /** Tells the user something that belongs to the snapshot. */
  void note(String message);
}
