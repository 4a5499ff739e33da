// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ProcStatTest {
  @Test
  void readsBehindAnAwkwardName() {
    ProcStat stat = ProcStat.parse(ProcTexts.of("zoo.stat"));
    assertThat(stat.pid()).isEqualTo(7858);
    assertThat(stat.name()).isEqualTo("a) (b\nc\\ d)");
    assertThat(stat.state()).isEqualTo('S');
    assertThat(stat.ppid()).isEqualTo(1);
    assertThat(stat.pgrp()).isEqualTo(7848);
    assertThat(stat.session()).isEqualTo(5949);
    assertThat(stat.terminal()).isZero();
    assertThat(stat.foreground()).isEqualTo(-1);
    assertThat(stat.flags()).isEqualTo(4194560);
    assertThat(stat.kernelWorker()).isFalse();
    assertThat(stat.startTime()).isEqualTo(152883);
    assertThat(stat.startCode()).isEqualTo(94448017559552L);
    assertThat(stat.endCode()).isEqualTo(94448017561773L);
    assertThat(stat.startStack()).isEqualTo(140727844622224L);
    assertThat(stat.exitSignal()).isEqualTo(17);
    assertThat(stat.startData()).isEqualTo(94448017571280L);
    assertThat(stat.endData()).isEqualTo(94448017572112L);
    assertThat(stat.startBrk()).isEqualTo(94448253677568L);
    assertThat(stat.argStart()).isEqualTo(140727844624949L);
    assertThat(stat.argEnd()).isEqualTo(140727844624955L);
    assertThat(stat.envStart()).isEqualTo(140727844624955L);
    assertThat(stat.envEnd()).isEqualTo(140727844626418L);
  }

  @Test
  void readsAQemu() {
    ProcStat stat = ProcStat.parse(ProcTexts.of("qemu.stat"));
    assertThat(stat.name()).isEqualTo("qemu-system-x86");
    assertThat(stat.nice()).isZero();
  }

  @Test
  void refusesATextWithoutName() {
    assertThatThrownBy(() -> ProcStat.parse("1 x S 1")).isInstanceOf(ProcFormatException.class);
  }
}
