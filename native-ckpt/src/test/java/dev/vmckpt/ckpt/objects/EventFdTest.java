// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.Nr;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EventFdTest {
  private final ContractKit kit;

  EventFdTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  @ParameterizedTest
  @CsvSource({"0,false", "7,true", "4294967295,false", "-2,false", "1311768467463790320,true"})
  void comesBackWithItsCount(long count, boolean semaphore) {
    int fd = kit.own(ContractKit.call(Nr.EVENTFD2, 0, 04000 | (semaphore ? 1 : 0)));
    if (count != 0) {
      NativeBuffer bytes = NativeBuffer.ofBytes(LittleEndian.bytesOf(count));
      ContractKit.call(Nr.WRITE, fd, bytes.address(), 8);
    }
    ContractKit.Snapshot saved = kit.roundTrip(fd);
    assertThat(ContractKit.only(saved, DescriptorImage.EventFd.class))
        .isEqualTo(new DescriptorImage.EventFd(count, semaphore));
  }

  @Test
  void lookingDoesNotEmptyIt() {
    int fd = kit.own(ContractKit.call(Nr.EVENTFD2, 5, 04000));
    kit.capture(fd);
    kit.capture(fd);
    assertThat(kit.read(fd)).hasSize(8).startsWith("\u0005");
    assertThat(kit.read(fd)).isEqualTo("errno 11");
  }

  @Test
  void duplicatesStayOne() {
    int fd = kit.own(ContractKit.call(Nr.EVENTFD2, 1, 04000));
    int other = kit.own(ContractKit.call(Nr.EVENTFD2, 1, 04000));
    int twin = kit.dup(fd);
    ContractKit.Snapshot saved = kit.roundTrip(fd, other, twin);
    assertThat(saved.files()).hasSize(2);
    kit.read(twin);
    assertThat(kit.read(fd)).isEqualTo("errno 11");
    assertThat(kit.read(other)).startsWith("\u0001");
  }
}
