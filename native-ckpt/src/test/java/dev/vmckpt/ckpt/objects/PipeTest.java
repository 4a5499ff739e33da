// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.image.DescriptorImage;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PipeTest {
  private final ContractKit kit;

  PipeTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  @Test
  void comesBackWithItsContentsAndCapacity() {
    int[] ends = kit.pipe(04000);
    FileCalls.tryFcntl(ends[0], FileCalls.F_SETPIPE_SZ, 1 << 18);
    kit.write(ends[1], "x".repeat(100_000));
    kit.write(ends[1], "end");
    ContractKit.Snapshot saved = kit.roundTrip(ends);
    DescriptorImage.Pipe reader = (DescriptorImage.Pipe) saved.files().get(0).object();
    assertThat(reader.capacity()).isEqualTo(1 << 18);
    assertThat(reader.packets()).hasSize(1);
    assertThat(kit.read(ends[0]) + kit.read(ends[0])).isEqualTo("x".repeat(100_000) + "end");
    assertThat(kit.notes).isEmpty();
  }

  @Test
  void anEmptyOneIsStillConnected() {
    int[] ends = kit.pipe(04000);
    kit.roundTrip(ends);
    kit.write(ends[1], "hello");
    assertThat(kit.read(ends[0])).isEqualTo("hello");
    kit.closeFd(ends[1]);
    assertThat(kit.read(ends[0])).isEmpty();
  }

  @Test
  void packetsStayPackets() {
    int[] ends = kit.pipe(04000 | Pipe.O_DIRECT);
    kit.write(ends[1], "one");
    kit.write(ends[1], "two");
    ContractKit.Snapshot saved = kit.roundTrip(ends);
    assertThat(((DescriptorImage.Pipe) saved.files().get(0).object()).packets()).hasSize(2);
    assertThat(kit.read(ends[0])).isEqualTo("one");
    assertThat(kit.read(ends[0])).isEqualTo("two");
    kit.write(ends[1], "three");
    kit.write(ends[1], "four");
    assertThat(kit.read(ends[0])).isEqualTo("three");
  }

  @Test
  void aFullOneComesBackFull() {
    int[] ends = kit.pipe(04000);
    kit.write(ends[1], "y".repeat(65536));
    kit.roundTrip(ends);
    assertThat(kit.read(ends[0])).hasSize(65536);
  }

  @Test
  void anEndThatIsOpenTwiceStaysTwo() {
    int[] ends = kit.pipe(04000);
    int again = kit.open("/proc/self/fd/" + ends[1], Pipe.O_WRONLY);
    ContractKit.Snapshot saved = kit.roundTrip(ends[0], ends[1], again);
    assertThat(saved.files()).hasSize(3);
    kit.write(again, "a");
    kit.write(ends[1], "b");
    assertThat(kit.read(ends[0])).isEqualTo("ab");
    kit.closeFd(ends[1]);
    assertThat(kit.read(ends[0])).isEqualTo("errno 11");
    kit.closeFd(again);
    assertThat(kit.read(ends[0])).isEmpty();
  }

  @Test
  void itsFlagsAreItsOwn() {
    int[] ends = kit.pipe(0);
    assertThat(kit.roundTrip(ends).files().get(1).statusFlags()).isEqualTo(Pipe.O_WRONLY);
    assertThat(List.of(kit.kind(ends[0]), kit.kind(ends[1]))).containsOnly("pipe");
  }
}
