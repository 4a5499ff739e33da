// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** What carries bytes to the other end and back. */
interface Wire {
  /** Whose bytes they are. Called on the thread that runs the wire. */
  interface User {
    /** Bytes have come: those of an array from its beginning up to a length. */
    void received(byte[] bytes, int length);

    /** What is to be sent next; null for nothing. May be called on another thread. */
    byte @Nullable [] toSend();
  }

  /** Connects, if there is something to connect; waits as long as it takes. */
  void connect() throws IOException;

  /** Carries bytes until the other end hangs up or {@link #close} is called. */
  void run(User user) throws IOException;

  /** There is something to send. Called on any thread. */
  void wake();

  /** Ends {@link #connect} and {@link #run}. Called on any thread, any number of times. */
  void close();
}
