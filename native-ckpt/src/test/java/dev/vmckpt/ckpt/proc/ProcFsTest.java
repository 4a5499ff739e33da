// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.error.TargetGoneException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ProcFsTest {
  @Test
  void readsOurOwnProcess() {
    int pid = (int) ProcessHandle.current().pid();
    assertThat(ProcStatus.parse(ProcFs.read(ProcFs.of(pid, "status"))).tgid()).isEqualTo(pid);
    assertThat(ProcStat.parse(ProcFs.read(ProcFs.of(pid, "stat"))).pid()).isEqualTo(pid);
    assertThat(SmapsParser.parse(ProcFs.read(ProcFs.of(pid, "smaps")))).isNotEmpty();
    assertThat(ProcTimers.parse(ProcFs.read(ProcFs.of(pid, "timers")))).isNotNull();
  }

  @Test
  void saysThatTheTargetIsGone() throws Exception {
    Process process = new ProcessBuilder("true").start();
    process.waitFor();
    Path file = ProcFs.of((int) process.pid(), "status");
    assertThatThrownBy(() -> ProcFs.read(file))
        .isInstanceOf(TargetGoneException.class)
        .hasMessageContaining(file.toString());
  }
}
