// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.TargetGoneException;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The just-in-time compilers of this Java machine. They are busiest right in a pause, when code
 * runs that has not run often before, and what they do there comes too late for it; but each call
 * made in a target wakes one of its threads up, which on a machine with few processors waits until
 * the compiler's turn is over, a millisecond or more. As SCHED_IDLE (sched(7)) they give way at
 * once.
 */
final class CompilerThreads {
  private static final String TASKS = "/proc/self/task";
  private static final int SCHED_SETSCHEDULER = 144;
  private static final int SCHED_OTHER = 0;
  private static final int SCHED_IDLE = 5;

  private final List<Integer> compilers = new ArrayList<>();

  /** struct sched_param: a priority of 0. */
  private final NativeBuffer parameters = new NativeBuffer(Integer.BYTES);

  /** Finds them: HotSpot names them {@code C1 CompilerThread0} and so on. */
  CompilerThreads() {
    String[] own = new File(TASKS).list();
    for (String tid : own == null ? new String[0] : own) {
      if (isCompiler(tid)) {
        compilers.add(Integer.valueOf(tid));
      }
    }
  }

  private static boolean isCompiler(String tid) {
    try {
      String name = ProcFs.read(Path.of(TASKS, tid, "comm"));
      return name.startsWith("C1 Compiler") || name.startsWith("C2 Compiler");
    } catch (TargetGoneException e) {
      // A thread that has ended meanwhile.
      return false;
    }
  }

  /**
   * They run only where nothing else does, from here to {@link #goOn}. Without CAP_SYS_NICE there
   * would be no way back.
   */
  void giveWay() {
    schedule(SCHED_IDLE);
  }

  /** They run as usual. */
  void goOn() {
    schedule(SCHED_OTHER);
  }

  private void schedule(int policy) {
    for (int i = 0; i < compilers.size(); i++) {
      Sys.tryCall(SCHED_SETSCHEDULER, compilers.get(i), policy, parameters.address());
    }
  }
}
