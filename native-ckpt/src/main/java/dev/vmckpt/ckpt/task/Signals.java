// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.image.SignalsImage;
import dev.vmckpt.spi.image.SignalsImage.Action;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The signal handlers of a process, and the signals pending for the whole of it. */
public final class Signals {
  private static final int SIGNALS = 64;
  private static final int SIGKILL = 9;
  private static final int SIGSTOP = 19;
  private static final int MASK_BYTES = 8;
  private static final int ACTION_BYTES = 32;

  private Signals() {}

  /**
   * Reads them. Stands in the pause.
   *
   * @param handled the signals that are caught or ignored (SigCgt | SigIgn of /proc/PID/status)
   * @param pending PTRACE_PEEKSIGINFO of the process
   */
  public static SignalsImage capture(
      BorrowedThread borrowed, long handled, List<byte[]> pending, boolean stopped) {
    List<Action> actions = new ArrayList<>();
    RemoteAddress scratch = borrowed.scratch();
    for (int signal = 1; signal <= SIGNALS; signal++) {
      if ((handled >>> (signal - 1) & 1) == 0) {
        continue;
      }
      // struct kernel_sigaction { handler; u64 flags; restorer; u64 mask; }
      borrowed.call(
          "rt_sigaction", "a signal", Nr.RT_SIGACTION, signal, 0, scratch.value(), MASK_BYTES);
      ByteBuffer action =
          ByteBuffer.wrap(borrowed.read(scratch, ACTION_BYTES)).order(ByteOrder.LITTLE_ENDIAN);
      actions.add(
          new Action(
              signal,
              new RemoteAddress(action.getLong(0)),
              action.getLong(8),
              new RemoteAddress(action.getLong(16)),
              action.getLong(24)));
    }
    return new SignalsImage(actions, pending, stopped);
  }

  /** Sets all handlers: those of the image, and the default for every other signal. */
  public static void restore(Husk husk, SignalsImage image) {
    Action[] actions = new Action[SIGNALS + 1];
    for (Action action : image.actions()) {
      actions[action.signal()] = action;
    }
    for (int signal = 1; signal <= SIGNALS; signal++) {
      if (signal == SIGKILL || signal == SIGSTOP) {
        continue;
      }
      ByteBuffer bytes = ByteBuffer.allocate(ACTION_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      Action action = actions[signal];
      if (action != null) {
        bytes.putLong(0, action.handler().value()).putLong(8, action.flags());
        bytes.putLong(16, action.restorer().value()).putLong(24, action.mask());
      }
      husk.queue(
          "rt_sigaction",
          "signal " + signal,
          Nr.RT_SIGACTION,
          signal,
          husk.place(bytes.array()),
          0,
          MASK_BYTES);
    }
    for (byte[] info : image.pending()) {
      husk.queue(
          "rt_sigqueueinfo",
          "signal " + info[0],
          Nr.RT_SIGQUEUEINFO,
          husk.innerPid(),
          info[0],
          husk.place(info));
    }
    husk.flush();
  }
}
