// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.proc;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class UnixSocketLineTest {
  /** As Linux 6.18 wrote it, by a QEMU with two monitors one of which is held. */
  private static final String TABLE =
      """
      Num       RefCount Protocol Flags    Type St Inode Path
      ffff8a2e8d3f1c00: 00000002 00000000 00010000 0001 01 20513 /run/vm/qmp
      ffff8a2e8d3f2800: 00000003 00000000 00000000 0001 03 20517 /run/vm/with a blank
      ffff8a2e8d3f0400: 00000003 00000000 00000000 0001 03 20516
      ffff8a2e8d3f0800: 00000002 00000000 00000000 0002 01 18021 @abstract
      """;

  @Test
  void namedOnesAreRead() {
    assertThat(UnixSocketLine.parse(TABLE))
        .containsExactly(
            new UnixSocketLine("socket:[20513]", true, false, "/run/vm/qmp"),
            new UnixSocketLine("socket:[20517]", false, true, "/run/vm/with a blank"),
            new UnixSocketLine("socket:[18021]", false, false, "@abstract"));
  }
}
