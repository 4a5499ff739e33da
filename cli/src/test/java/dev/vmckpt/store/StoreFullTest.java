// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.VmckptException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A store on a file system of one mebibyte. */
class StoreFullTest {
  @TempDir Path temporary = Path.of("/nonexistent");
  private Path disk = Path.of("/nonexistent");

  @BeforeEach
  void mount() throws Exception {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root may mount a file system to fill");
    disk = Files.createDirectory(temporary.resolve("disk"));
    Commands.execute("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", disk.toString());
  }

  @AfterEach
  void unmount() throws Exception {
    Commands.execute("umount", disk.toString());
  }

  @Test
  void aFullDisk() throws IOException {
    Store store = Samples.store(disk.resolve("store"));
    Stored before = Samples.save(store, "before");

    try (Draft draft = store.begin("big", List.of())) {
      assertThatExceptionOfType(FailureException.class)
          .isThrownBy(() -> Samples.write(draft.folder(), 1 << 20))
          .withMessageContaining("the disk is full")
          .satisfies(e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FAILED));
    }

    assertThat(Folders.names(store.folder())).containsExactly(".lock", before.id());
    store.verify(before, ProgressListener.SILENT);
    Samples.save(store, "big");
  }

  @Test
  void aDiskThatIsFullWhenTheManifestIsWritten() throws IOException {
    Store store = Samples.store(disk.resolve("store"));
    Path ballast = disk.resolve("ballast");

    try (Draft draft = store.begin("web", List.of())) {
      var captured = Samples.write(draft.folder(), 1000);
      fill(ballast);
      assertThatExceptionOfType(FailureException.class)
          .isThrownBy(() -> draft.commit(captured, "test", ProgressListener.SILENT))
          .withMessageContaining("the disk is full");
    }

    assertThat(Folders.names(store.folder())).containsExactly(".lock");
    Files.delete(ballast);
    Samples.save(store, "web");
  }

  @Test
  void aReadOnlyFileSystem() throws Exception {
    Store store = Samples.store(disk.resolve("store"));
    Stored stored = Samples.save(store, "web");
    Commands.execute("mount", "-o", "remount,ro", disk.toString());

    assertThatExceptionOfType(FailureException.class)
        .isThrownBy(() -> store.begin("other", List.of()))
        .withMessageContaining("read-only");
    assertThatExceptionOfType(FailureException.class).isThrownBy(() -> store.remove(stored.id()));
    assertThat(store.list()).hasSize(1);
    store.verify(store.find("web"), ProgressListener.SILENT);
    store.sweepWork();
  }

  @Test
  void aFolderThatMayNotBeWritten() {
    VmckptException denied = StoreErrors.of("cannot write", new AccessDeniedException("/store"));
    assertThat(denied)
        .isInstanceOf(NotPermittedException.class)
        .hasMessageContaining("cannot write: permission denied (/store)");
    assertThat(denied.exitCode()).isEqualTo(ExitCode.NOT_PERMITTED);
  }

  private static void fill(Path file) throws IOException {
    byte[] chunk = new byte[4096];
    try (var out = Files.newOutputStream(file)) {
      while (true) {
        out.write(chunk);
      }
    } catch (IOException e) {
      assertThat(e).hasMessageContaining("No space left");
    }
  }
}
