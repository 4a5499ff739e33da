// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FifoTest {
  private final Path folder;
  private final ContractKit kit;

  FifoTest(@TempDir Path folder) {
    this.folder = folder;
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private Path fifo() throws IOException, InterruptedException {
    Path fifo = folder.resolve("a fifo");
    assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
    return fifo;
  }

  @Test
  void everyKindOfEndIsOpenedAgain() throws Exception {
    Path fifo = fifo();
    int both = kit.open(fifo.toString(), Pipe.O_RDWR | 04000);
    int reader = kit.open(fifo.toString(), 04000);
    int writer = kit.open(fifo.toString(), Pipe.O_WRONLY);
    kit.roundTrip(both, reader, writer);
    kit.write(writer, "through");
    assertThat(kit.read(reader)).isEqualTo("through");
    assertThat(kit.kind(writer)).isEqualTo("named pipe");
  }

  @Test
  void aWritingEndAloneIsOpenedWithoutWaiting() throws Exception {
    Path fifo = fifo();
    int reader = kit.open(fifo.toString(), 04000);
    int writer = kit.open(fifo.toString(), Pipe.O_WRONLY);
    kit.closeFd(reader);
    kit.roundTrip(writer);
  }

  @Test
  void whatIsNotThereAnyMoreIsRefusedByName() throws Exception {
    Path fifo = fifo();
    int reader = kit.open(fifo.toString(), 04000);
    ContractKit.Snapshot saved = kit.capture(reader);
    Files.delete(fifo);
    assertThat(kit.claim(reader).refusal()).isNotNull();
    kit.close(saved);
    assertThatThrownBy(() -> kit.restore(saved))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(fifo.toString())
        .hasMessageContaining("--reattach fd:" + reader);
    Files.writeString(fifo, "no fifo");
    assertThatThrownBy(() -> kit.restore(saved)).isInstanceOf(RefusedException.class);
  }
}
