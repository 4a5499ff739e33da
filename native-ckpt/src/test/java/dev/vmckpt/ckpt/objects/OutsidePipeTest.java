// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.image.DescriptorImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutsidePipeTest {
  private final Path folder;
  private final ContractKit kit;

  OutsidePipeTest(@TempDir Path folder) {
    this.folder = folder;
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  @Test
  void aReadingEndComesBackAtItsEnd() {
    int[] ends = kit.pipe(04000);
    kit.write(ends[1], "last words");
    kit.closeFd(ends[1]);
    assertThat(kit.kind(ends[0])).isEqualTo("outside pipe");
    assertThat(kit.claim(ends[0]).changed()).isTrue();
    kit.roundTrip(ends[0]);
    assertThat(kit.read(ends[0])).isEqualTo("last words");
    assertThat(kit.read(ends[0])).isEmpty();
    assertThat(kit.notes).hasSize(1);
    assertThat(kit.notes.get(0)).contains("fd:" + ends[0]);
  }

  @Test
  void aWritingEndComesBackAsNull() {
    int[] ends = kit.pipe(0);
    kit.closeFd(ends[0]);
    ContractKit.Snapshot saved = kit.capture(ends[1]);
    assertThat(ContractKit.only(saved, DescriptorImage.OutsidePipe.class).writer()).isTrue();
    kit.close(saved);
    kit.restore(saved);
    kit.write(ends[1], "into the void");
    assertThat(kit.kind(ends[1])).isEqualTo("memory device");
  }

  @Test
  void aWritingEndCanGoToAFile() throws IOException {
    int[] ends = kit.pipe(0);
    kit.closeFd(ends[0]);
    ContractKit.Snapshot saved = kit.capture(ends[1]);
    kit.close(saved);
    Path log = Files.writeString(folder.resolve("log"), "before ");
    kit.reattach.put("fd:" + ends[1], log.toString());
    kit.restore(saved);
    kit.write(ends[1], "after");
    assertThat(log).hasContent("before after");
  }
}
