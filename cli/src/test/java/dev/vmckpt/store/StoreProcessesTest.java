// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.error.UsageException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several processes write into one store, and are killed. */
class StoreProcessesTest {
  @TempDir Path temporary = Path.of("/nonexistent");

  @Test
  void aDraftLivesAsLongAsItsWriter() throws Exception {
    Store store = Samples.store(temporary.resolve("store"));
    Process writer = WriterProcess.start(store.folder(), "hold");
    try {
      String id = reader(writer).readLine();
      Samples.save(store, "other");
      assertThat(Folders.names(store.folder())).contains(".tmp-" + id);
      assertThatExceptionOfType(UsageException.class)
          .isThrownBy(() -> store.begin("held", List.of()))
          .withMessageContaining("being written");
    } finally {
      writer.destroyForcibly().waitFor();
    }

    Samples.save(store, "held");

    assertThat(Folders.names(store.folder())).noneMatch(name -> name.startsWith(".tmp-"));
  }

  @Test
  void killedWritersLeaveWholeSnapshotsOnly() throws Exception {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Store store = Samples.store(temporary.resolve("store"));
    List<String> acknowledged = new ArrayList<>();
    for (int round = 0; round < 4; round++) {
      Process first = WriterProcess.start(store.folder(), "write");
      Process second = WriterProcess.start(store.folder(), "write");
      try {
        acknowledged.add(reader(first).readLine());
        acknowledged.add(reader(second).readLine());
        Thread.sleep(random.nextInt(200));
      } finally {
        first.destroyForcibly().waitFor();
        second.destroyForcibly().waitFor();
      }
    }

    List<String> ids = new ArrayList<>();
    for (Listed each : store.list()) {
      assertThat(each.fault()).as("seed %d", seed).isNull();
      store.verify(store.find(each.id()), ProgressListener.SILENT);
      ids.add(each.id());
    }
    assertThat(ids).as("seed %d", seed).containsAll(acknowledged);
    Samples.save(store, "last");
    assertThat(Folders.names(store.folder())).noneMatch(name -> name.startsWith(".tmp-"));
  }

  private static BufferedReader reader(Process process) throws IOException {
    return new BufferedReader(
        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }
}
