// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.FdInfo;
import java.util.List;
import org.junit.jupiter.api.Test;

class FileLockTest {
  /** One of each kind, as the kernel writes them (lock_get_status in fs/locks.c). */
  private static final List<String> LINES =
      List.of(
          "mnt_id:\t29",
          "ino:\t5678",
          "lock:\t1: OFDLCK ADVISORY  READ -1 fe:00:5678 100 101",
          "lock:\t2: OFDLCK ADVISORY  READ -1 fe:00:5678 201 201",
          "lock:\t3: POSIX  ADVISORY  WRITE 4242 fe:00:5678 0 EOF",
          "lock:\t4: FLOCK  ADVISORY  WRITE 4242 fe:00:5678 0 EOF",
          "lock:\t5: LEASE  ACTIVE    READ  4242 fe:00:5678 0 EOF");

  @Test
  void readsTheLinesOfFdinfo() {
    assertThat(FileLock.of(new FdInfo(0, 0, LINES), 7))
        .containsExactly(
            new FileLock(FileLock.Owner.OFD, false, 100, 2, 7),
            new FileLock(FileLock.Owner.OFD, false, 201, 1, 7),
            new FileLock(FileLock.Owner.POSIX, true, 0, 0, 7),
            new FileLock(FileLock.Owner.FLOCK, true, 0, 0, 7));
  }

  @Test
  void tellsALeaseFromALock() {
    assertThat(FileLock.hasLease(new FdInfo(0, 0, LINES))).isTrue();
    assertThat(FileLock.hasLease(new FdInfo(0, 0, LINES.subList(0, 6)))).isFalse();
  }

  @Test
  void laysOutStructFlock() {
    byte[] struct = new FileLock(FileLock.Owner.OFD, true, 0x0102, 3, 7).struct();
    assertThat(struct).hasSize(FileLock.STRUCT_BYTES);
    assertThat(struct[0]).isEqualTo((byte) 1);
    assertThat(struct[8]).isEqualTo((byte) 2);
    assertThat(struct[9]).isEqualTo((byte) 1);
    assertThat(struct[16]).isEqualTo((byte) 3);
  }
}
