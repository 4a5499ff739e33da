// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.marks;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PartNameTest {
  /** The longest name of a node, in bytes: BlockDriverState.node_name has 32 with its end. */
  private static final int LONGEST = 31;

  @Test
  void tellsWhoseItIs() {
    PartName own = PartName.own(7);
    assertThat(own.isOwn()).isTrue();
    assertThat(own.isOwnerAlive()).isTrue();
    for (String name : new String[] {own.job(), own.target(), own.file(), own.map()}) {
      assertThat(PartName.tryRead(name)).isEqualTo(own);
    }
  }

  @Test
  void aPidAloneIsNobody() {
    PartName own = PartName.own(7);
    PartName before = new PartName(own.pid(), own.start() - 1, 7);
    assertThat(before.isOwn()).isFalse();
    assertThat(before.isOwnerAlive()).isFalse();
    // No pid is as high as this (PID_MAX_LIMIT is 4194304).
    assertThat(new PartName(4194305, own.start(), 7).isOwnerAlive()).isFalse();
  }

  @Test
  void fitsANode() {
    long threeYears = 3L * 365 * 86400 * 100;
    assertThat(new PartName(4194304, threeYears, 9999).target()).hasSizeLessThanOrEqualTo(LONGEST);
  }

  @Test
  void readsNobodyElsesNames() {
    for (String name : new String[] {"", "#block123", "vmckpt-", "vmckpt-1-z", "drive-virtio0"}) {
      assertThat(PartName.tryRead(name)).isNull();
    }
    assertThat(PartName.tryRead("vmckpt-99999999999999999999-0-1")).isNull();
  }
}
