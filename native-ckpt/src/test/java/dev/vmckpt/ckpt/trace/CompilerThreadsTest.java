// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.raw.Sys;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The compilers of the Java machine that runs this test. */
class CompilerThreadsTest {
  private static final int SCHED_GETSCHEDULER = 145;
  private static final int GETUID = 102;

  @Test
  void theyGiveWayAndGoOn() throws IOException {
    CompilerThreads threads = new CompilerThreads();
    assertThat(policies()).isNotEmpty().containsOnly(0L);
    // Back from there only who has CAP_SYS_NICE may.
    assumeTrue(Sys.tryCall(GETUID, 0, 0, 0) == 0, "only root may put them back");
    threads.giveWay();
    try {
      // One that was started meanwhile is as it was made.
      assertThat(policies()).contains(5L);
      assertThat(policy(0)).isZero();
    } finally {
      threads.goOn();
    }
    assertThat(policies()).isNotEmpty().containsOnly(0L);
  }

  private static long policy(int tid) {
    return Sys.tryCall(SCHED_GETSCHEDULER, tid, 0, 0);
  }

  /** The policies of all compilers there are now: the Java machine starts and ends them. */
  private static List<Long> policies() throws IOException {
    List<Long> found = new ArrayList<>();
    for (String tid : new File("/proc/self/task").list()) {
      try {
        String name = Files.readString(Path.of("/proc/self/task", tid, "comm"));
        if (name.startsWith("C1 ") || name.startsWith("C2 ")) {
          found.add(policy(Integer.parseInt(tid)));
        }
      } catch (NoSuchFileException gone) {
        // It has ended.
      }
    }
    return found;
  }
}
