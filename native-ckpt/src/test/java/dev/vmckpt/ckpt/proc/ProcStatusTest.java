// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class ProcStatusTest {
  @Test
  void readsAQemu() {
    ProcStatus status = ProcStatus.parse(ProcTexts.of("qemu.status"));
    assertThat(status.name()).isEqualTo("qemu-system-x86");
    assertThat(status.state()).isEqualTo('S');
    assertThat(status.umask()).isEqualTo(027);
    assertThat(status.threads()).isEqualTo(5);
    assertThat(status.userIds()).containsExactly(0, 0, 0, 0);
    assertThat(status.groups()).isEmpty();
    assertThat(status.capabilities()).hasSize(5).contains(0x1fffeffffffL);
    assertThat(status.nsTgid()).isEqualTo(List.of(status.tgid()));
    assertThat(status.kernelThread()).isFalse();
    assertThat(status.noNewPrivileges()).isFalse();
  }

  @Test
  void readsPendingAndBlockedSignalsAndAnAwkwardName() {
    ProcStatus status = ProcStatus.parse(ProcTexts.of("zoo.status"));
    assertThat(status.name()).isEqualTo("a) (b\nc\\ d)");
    assertThat(status.blocked()).isEqualTo(0x8000000000000200L);
    assertThat(status.pending()).isEqualTo(0x8000000000000000L);
    assertThat(status.sharedPending()).isEqualTo(0x200L);
  }

  @Test
  void readsPidsOfEveryNamespaceAndLargeIds() {
    ProcStatus status =
        ProcStatus.parse(
            """
            Name:\tx
            State:\tT (stopped)
            Tgid:\t9
            Pid:\t9
            PPid:\t1
            Uid:\t4294967295\t1\t2\t3
            Gid:\t4\t5\t6\t7
            Groups:\t10 20
            NStgid:\t9\t1
            Seccomp:\t2
            Seccomp_filters:\t3
            x86_Thread_features:\tshstk wrss
            New:\t?
            """);
    assertThat(status.userIds()).containsExactly(-1, 1, 2, 3);
    assertThat(status.groups()).containsExactly(10, 20);
    assertThat(status.nsTgid()).containsExactly(9, 1);
    assertThat(status.seccomp()).isEqualTo(2);
    assertThat(status.seccompFilters()).isEqualTo(3);
    assertThat(status.threadFeatures()).containsExactly("shstk", "wrss");
    assertThat(status.umask()).isEqualTo(-1);
  }

  @Test
  void refusesATextWithoutIds() {
    assertThatThrownBy(() -> ProcStatus.parse("Name:\tx\nState:\tS\nTgid:\t9\nPid:\t9\nPPid:\t1\n"))
        .isInstanceOf(ProcFormatException.class);
  }
}
