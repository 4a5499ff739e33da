// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.Nr;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EpollTest {
  private final ContractKit kit;

  EpollTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private void watch(int epoll, int fd, int events, long data) {
    NativeBuffer event = new NativeBuffer(12);
    event.bytes().putInt(0, events).putLong(4, data);
    ContractKit.call(Nr.EPOLL_CTL, epoll, 1, fd, event.address());
  }

  private int epoll() {
    return kit.own(ContractKit.call(Nr.EPOLL_CREATE1, 0));
  }

  private int counter() {
    return kit.own(ContractKit.call(Nr.EVENTFD2, 0, 04000));
  }

  @Test
  void comesBackWithEverythingItWatches() {
    int epoll = epoll();
    int first = counter();
    int second = counter();
    watch(epoll, first, 0x80000001, 0xfeed0000beefL);
    watch(epoll, second, 0x5, -1);
    ContractKit.Snapshot saved = kit.capture(epoll, first, second);
    kit.close(saved);
    kit.restore(saved);
    ContractKit.Snapshot after = kit.capture(epoll, first, second);
    assertThat(watches(after)).containsExactlyInAnyOrderElementsOf(watches(saved));
    assertThat(watches(after)).hasSize(2);
    assertThat(kit.notes).isEmpty();
  }

  private static java.util.List<DescriptorImage.Epoll.Watch> watches(ContractKit.Snapshot saved) {
    return ((DescriptorImage.Epoll) saved.files().get(0).object()).watches();
  }

  @Test
  void oneMayWatchAnotherOfAHigherNumber() {
    int outer = epoll();
    int inner = epoll();
    watch(outer, inner, 1, 42);
    kit.roundTrip(outer, inner);
    assertThat(kit.notes).isEmpty();
  }

  @Test
  void aWatchOfAFileThatMovedIsRefused() {
    int epoll = epoll();
    int fd = counter();
    watch(epoll, fd, 1, 0);
    ContractKit.Snapshot saved = kit.capture(epoll);
    assertThat(saved.files()).hasSize(1);
    int moved = kit.dup(fd);
    kit.closeFd(fd);
    assertThat(kit.claim(epoll).refusal()).contains("fd:" + fd);
    assertThatThrownBy(() -> kit.capture(epoll))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("fd:" + epoll);
    // Another file of the same kind at that number is not the one it watches.
    assertThat(counter()).isEqualTo(fd);
    assertThat(kit.claim(epoll).refusal()).contains("fd:" + fd);
    kit.closeFd(fd);
    kit.closeFd(moved);
  }
}
