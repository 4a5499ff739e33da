// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.image.OpenFileImage;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CharDeviceTest {
  private final ContractKit kit;

  CharDeviceTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  @Test
  void eachIsOpenedAgainWithItsFlags() {
    for (String path :
        new String[] {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
      for (int access = 0; access <= 2; access++) {
        int fd = kit.open(path, access);
        OpenFileImage saved = kit.roundTrip(fd).files().get(0);
        assertThat(saved.statusFlags() & 3).isEqualTo(access);
        assertThat(kit.claim(fd).summary()).isEqualTo(path);
        kit.closeFd(fd);
      }
    }
  }

  @Test
  void anotherDeviceIsNoneOfOurs() {
    int fd = kit.open("/dev/ptmx", 02);
    try (Census census = Census.take(kit.process.pid())) {
      assertThat(KernelObjects.recognise(ContractKit.resource(census, fd), census)).isEmpty();
    }
  }
}
