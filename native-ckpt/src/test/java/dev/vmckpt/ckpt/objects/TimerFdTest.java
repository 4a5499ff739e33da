// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.Nr;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TimerFdTest {
  private final ContractKit kit;

  TimerFdTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private int timer(int clock, int flags, long valueNanos, long intervalNanos) {
    int fd = kit.own(ContractKit.call(Nr.TIMERFD_CREATE, clock, 04000));
    long second = 1_000_000_000L;
    byte[] spec =
        LittleEndian.bytesOf(
            intervalNanos / second,
            intervalNanos % second,
            valueNanos / second,
            valueNanos % second);
    ContractKit.call(Nr.TIMERFD_SETTIME, fd, flags, NativeBuffer.ofBytes(spec).address(), 0);
    return fd;
  }

  private DescriptorImage.TimerFd saved(int fd) {
    return ContractKit.only(kit.capture(fd), DescriptorImage.TimerFd.class);
  }

  private DescriptorImage.TimerFd restored(int fd) {
    ContractKit.Snapshot saved = kit.capture(fd);
    kit.close(saved);
    kit.restore(saved);
    return saved(fd);
  }

  @Test
  void oneThatIsOffStaysOff() {
    kit.roundTrip(timer(1, 0, 0, 0));
  }

  @Test
  void goesOnWithWhatWasLeft() {
    for (int clock : List.of(0, 1, 7)) {
      DescriptorImage.TimerFd after = restored(timer(clock, 0, 100_000_000_000L, 3_000_000_000L));
      assertThat(after.clock()).isEqualTo(clock);
      assertThat(after.valueNanos()).isBetween(90_000_000_000L, 100_000_000_000L);
      assertThat(after.intervalNanos()).isEqualTo(3_000_000_000L);
      assertThat(after.ticks()).isZero();
    }
  }

  @Test
  void anAbsoluteOneStaysAbsolute() {
    long due = (System.currentTimeMillis() / 1000 + 100) * 1_000_000_000L;
    DescriptorImage.TimerFd after = restored(timer(0, 3, due, 0));
    assertThat(after.settimeFlags()).isEqualTo(3);
    assertThat(after.valueNanos()).isBetween(90_000_000_000L, 101_000_000_000L);
  }

  @Test
  void unreadTicksOfAnExpiredOneComeBack() throws InterruptedException {
    int fd = timer(1, 0, 1_000_000L, 0);
    Thread.sleep(20);
    DescriptorImage.TimerFd after = restored(fd);
    assertThat(after.ticks()).isEqualTo(1);
    assertThat(after.valueNanos()).isZero();
    assertThat(kit.read(fd)).startsWith("\u0001");
    assertThat(kit.notes).isEmpty();
  }

  @Test
  void anExpiredPeriodicOneGoesOn() throws InterruptedException {
    int fd = timer(1, 0, 1_000_000L, 30_000_000L);
    Thread.sleep(10);
    assertThat(saved(fd).valueNanos()).isZero();
    assertThat(restored(fd).ticks()).isGreaterThanOrEqualTo(1);
    kit.read(fd);
    Thread.sleep(60);
    assertThat(kit.read(fd)).hasSize(8);
  }
}
