// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** How an interrupted system call is begun anew. */
class RegistersTest {
  private static final int READ = 0;
  private static final int POLL = 7;
  private static final int EPOLL_WAIT = 232;
  private static final long BEHIND = 0x1002;

  private static Registers stopped(long call, long result, boolean anew, boolean signal) {
    Registers registers = new Registers();
    registers.set(Registers.ORIG_RAX, call);
    registers.set(Registers.RAX, result);
    registers.set(Registers.RIP, BEHIND);
    registers.finishInterruptedCall(anew, signal);
    return registers;
  }

  private static void assertRestarted(Registers registers, long call) {
    assertThat(registers.get(Registers.RAX)).isEqualTo(call);
    assertThat(registers.get(Registers.RIP)).isEqualTo(BEHIND - 2);
    assertThat(registers.get(Registers.ORIG_RAX)).isEqualTo(-1);
  }

  private static void assertUntouched(Registers registers, long result) {
    assertThat(registers.get(Registers.RAX)).isEqualTo(result);
    assertThat(registers.get(Registers.RIP)).isEqualTo(BEHIND);
    assertThat(registers.get(Registers.ORIG_RAX)).isEqualTo(-1);
  }

  @Test
  void callsTheKernelWouldRestartAreRestarted() {
    for (long result : new long[] {-512, -513, -514}) {
      assertRestarted(stopped(READ, result, true, false), READ);
      assertRestarted(stopped(READ, result, false, true), READ);
    }
  }

  @Test
  void callsWithProgressGoOnInALiveTargetAndBeginAnewInAnImage() {
    assertRestarted(stopped(POLL, -516, false, false), 219);
    assertRestarted(stopped(POLL, -516, true, false), POLL);
  }

  @Test
  void callsTheKernelNeverRestartsAreRestartedUnlessASignalEndedThem() {
    assertRestarted(stopped(EPOLL_WAIT, -4, true, false), EPOLL_WAIT);
    assertUntouched(stopped(EPOLL_WAIT, -4, true, true), -4);
  }

  @Test
  void whatIsDoneStaysDone() {
    assertUntouched(stopped(READ, 17, true, false), 17);
    assertUntouched(stopped(READ, -4, true, false), -4);
    assertUntouched(stopped(-1, -512, true, false), -512);
  }
}
