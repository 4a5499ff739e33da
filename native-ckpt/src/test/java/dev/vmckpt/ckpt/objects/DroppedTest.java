// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DroppedTest {
  private final Path folder;
  private final ContractKit kit;

  DroppedTest(@TempDir Path folder) {
    this.folder = folder;
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private void restore(int fd, String was) {
    kit.restore(
        new ContractKit.Snapshot(
            folder,
            List.of(
                new OpenFileImage(
                    0,
                    List.of(new OpenFileImage.Descriptor(fd, true)),
                    2,
                    0,
                    0,
                    new DescriptorImage.Dropped(was)))));
  }

  @Test
  void aSocketComesBackHungUpAndAFileAsNull() {
    restore(450, "socket:[17]");
    restore(451, "/tmp/something");
    assertThat(kit.read(450)).isEmpty();
    assertThat(kit.kind(450)).isEqualTo("lost connection");
    assertThat(kit.kind(451)).isEqualTo("memory device");
    assertThat(kit.notes).hasSize(2);
  }
}
