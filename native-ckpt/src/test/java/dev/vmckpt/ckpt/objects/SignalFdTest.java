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

class SignalFdTest {
  private final ContractKit kit;

  SignalFdTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  @Test
  void comesBackWithItsSignals() {
    long mask = 0x8000000010002040L;
    NativeBuffer bytes = NativeBuffer.ofBytes(LittleEndian.bytesOf(mask));
    int fd = kit.own(ContractKit.call(Nr.SIGNALFD4, -1, bytes.address(), 8, 04000));
    ContractKit.Snapshot saved = kit.roundTrip(fd);
    assertThat(ContractKit.only(saved, DescriptorImage.SignalFd.class).mask()).isEqualTo(mask);
  }
}
