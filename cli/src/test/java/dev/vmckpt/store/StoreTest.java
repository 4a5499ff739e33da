// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.ManifestFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoreTest {
  @TempDir Path temporary = Path.of("/nonexistent");
  private Path folder = Path.of("/nonexistent");
  private Set<Path> used = Set.of();

  @BeforeEach
  void place() {
    folder = temporary.resolve("a store");
  }

  private Store store() {
    return Samples.store(folder, file -> used.contains(file) ? List.of(77) : List.of());
  }

  @Test
  void whatWasCommittedIsFoundByIdPrefixAndName() {
    Stored stored = Samples.save(store(), "web", "a", "b");

    assertThat(ManifestFile.encode(store().find(stored.id()).manifest()))
        .isEqualTo(ManifestFile.encode(stored.manifest()));
    assertThat(store().find(stored.id().substring(0, 4)).id()).isEqualTo(stored.id());
    assertThat(store().find("web").manifest().tags()).containsExactly("a", "b");
    assertThat(store().list()).hasSize(1);
    assertThat(stored.manifest().files()).containsOnlyKeys(Samples.DISK, Samples.PAGES);
    store().check(stored, ProgressListener.SILENT);
    store().verify(stored, ProgressListener.SILENT);
  }

  @Test
  void onlyTheOwnerMayReadIt() throws IOException {
    Stored stored = Samples.save(store(), null);

    for (Path each : Folders.foldersBelow(folder)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(each)))
          .as(each.toString())
          .isEqualTo("rwx------");
    }
    for (Path each : Folders.filesBelow(stored.folder())) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(each)))
          .as(each.toString())
          .isEqualTo("rw-------");
    }
  }

  @Test
  void nothingOfADraftIsSeenAndNothingStaysOfIt() throws IOException {
    try (Draft draft = store().begin("web", List.of())) {
      Samples.write(draft.folder(), 100);
      assertThat(store().list()).isEmpty();
      assertThatExceptionOfType(SnapshotException.class).isThrownBy(() -> store().find(draft.id()));
    }
    assertThat(Folders.names(folder)).containsExactly(".lock");
  }

  @Test
  void aNameIsGivenOnce() {
    Samples.save(store(), "web");

    assertThatExceptionOfType(UsageException.class)
        .isThrownBy(() -> store().begin("web", List.of()))
        .withMessageContaining("there is a snapshot named web");
    try (Draft draft = store().begin("other", List.of())) {
      assertThat(draft.folder()).isEmptyDirectory();
      assertThatExceptionOfType(UsageException.class)
          .isThrownBy(() -> store().begin("other", List.of()))
          .withMessageContaining("being written");
    }
    Samples.save(store(), "other");
  }

  @Test
  void someNamesAreRefused() {
    for (String name : List.of("", " ", "-x", "a\nb", "0123456789abcdef", "x".repeat(101))) {
      assertThatExceptionOfType(UsageException.class)
          .as("'%s'", name)
          .isThrownBy(() -> store().begin(name, List.of()));
    }
    Samples.save(store(), "with blanks / and \u00fcmlauts");
    assertThat(store().find("with blanks / and \u00fcmlauts").id()).hasSize(16);
  }

  @Test
  void anAmbiguousPrefixIsNotGuessed() throws IOException {
    Stored stored = Samples.save(store(), null);
    String twin = stored.id().substring(0, 15) + (stored.id().endsWith("0") ? "1" : "0");
    Files.createDirectory(folder.resolve(twin));

    assertThatExceptionOfType(UsageException.class)
        .isThrownBy(() -> store().find(stored.id().substring(0, 15)))
        .withMessageContaining(twin);
    assertThat(ManifestFile.encode(store().find(stored.id()).manifest()))
        .isEqualTo(ManifestFile.encode(stored.manifest()));
  }

  @Test
  void whatADeadWriterLeftIsRemovedByTheNext() throws IOException {
    Samples.save(store(), "web");
    Path dead = Files.createDirectories(folder.resolve(".tmp-00112233445566aa/memory"));
    Files.writeString(dead.resolve("1"), "half");
    Files.writeString(folder.resolve(".tmp-00112233445566aa.lock"), "dead");
    Files.createDirectory(folder.resolve(".tmp-half-removed"));
    Files.writeString(folder.resolve(".tmp-00112233445566ab.lock"), "");

    try (Draft draft = store().begin("dead", List.of())) {
      assertThat(Folders.names(folder))
          .containsOnly(
              ".lock",
              ".tmp-" + draft.id(),
              ".tmp-" + draft.id() + ".lock",
              store().resolve("web"));
    }
  }

  @Test
  void manyWritersAtOnce() throws InterruptedException, ExecutionException {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<String>> ids = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        String name = "n" + i;
        ids.add(threads.submit(() -> Samples.save(store(), name).id()));
      }
      Set<String> distinct = new TreeSet<>();
      for (Future<String> id : ids) {
        distinct.add(id.get());
      }
      assertThat(distinct).hasSize(20);
      for (Listed each : store().list()) {
        assertThat(each.fault()).isNull();
        store().verify(store().find(each.id()), ProgressListener.SILENT);
      }
      assertThat(store().list()).hasSize(20);
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aFileThatChangedBehindTheEnginesBackIsNotCommitted() {
    try (Draft draft = store().begin(null, List.of())) {
      Samples.write(draft.folder(), 100);
      Captured lying = Samples.captured(List.of(), Map.of(Samples.PAGES, new FileEntry(99, 1, 0)));
      assertThatExceptionOfType(FailureException.class)
          .isThrownBy(() -> draft.commit(lying, "test", ProgressListener.SILENT))
          .withMessageContaining("100 bytes long, and 99 were written");
    }
    try (Draft draft = store().begin(null, List.of())) {
      Samples.write(draft.folder(), 100);
      Captured lying = Samples.captured(List.of(), Map.of("gone", new FileEntry(99, 1, 0)));
      assertThatExceptionOfType(FailureException.class)
          .isThrownBy(() -> draft.commit(lying, "test", ProgressListener.SILENT))
          .withMessageContaining("was written and is gone");
    }
    assertThat(store().list()).isEmpty();
  }

  @Test
  void removing() throws IOException {
    Stored web = Samples.save(store(), "web");
    Samples.save(store(), "other");

    store().remove(web.id());

    assertThat(store().list()).hasSize(1);
    assertThat(web.folder()).doesNotExist();
    assertThat(Folders.names(folder)).noneMatch(name -> name.startsWith(".tmp-"));
    Samples.save(store(), "web");
  }

  @Test
  void aDamagedSnapshotCanBeRemoved() throws IOException {
    Stored web = Samples.save(store(), "web");
    Files.writeString(web.folder().resolve("manifest.json"), "{");

    store().remove(store().resolve(web.id()));

    assertThat(store().list()).isEmpty();
  }

  @Test
  void aSnapshotInUseStays() {
    Stored web = Samples.save(store(), "web");
    used = Set.of(web.folder().resolve(Samples.PAGES));

    assertThatExceptionOfType(RefusedException.class)
        .isThrownBy(() -> store().remove(web.id()))
        .withMessageContaining("process 77");
    assertThat(store().find("web").id()).isEqualTo(web.id());
  }

  @Test
  void aSnapshotBeingRestoredStays() {
    Stored web = Samples.save(store(), "web");

    try (Work work = store().work(web)) {
      assertThat(work.folder()).doesNotExist();
      assertThatExceptionOfType(RefusedException.class)
          .isThrownBy(() -> store().remove(web.id()))
          .withMessageContaining("being restored");
    }
    store().remove(web.id());
  }

  @Test
  void aSnapshotThatAnotherRefersToStays() {
    Stored first = Samples.save(store(), "first");
    Path disk = first.folder().resolve(Samples.DISK);
    try (Draft draft = store().begin("second", List.of())) {
      Samples.write(draft.folder(), 10);
      draft.commit(
          Samples.captured(List.of(Samples.connection(disk.toString(), null)), Map.of()),
          "test",
          ProgressListener.SILENT);
    }
    try (Draft draft = store().begin("third", List.of())) {
      Samples.write(draft.folder(), 10);
      draft.commit(
          Samples.captured(List.of(Samples.connection(disk.toString(), Samples.DISK)), Map.of()),
          "test",
          ProgressListener.SILENT);
    }

    assertThatExceptionOfType(RefusedException.class)
        .isThrownBy(() -> store().remove(first.id()))
        .satisfies(e -> assertThat(e.refusals()).hasSize(1))
        .withMessageContaining(store().resolve("second"));
    store().remove(store().resolve("second"));
    // The third kept a copy of its own.
    store().remove(first.id());
  }

  @Test
  void whatARestoredProcessWorksOnLivesAsLongAsItDoes() throws IOException {
    Stored web = Samples.save(store(), "web");
    Path disk;
    try (Work work = store().work(web)) {
      disk = Files.createDirectories(work.folder()).resolve("disk.raw");
      Files.writeString(disk, "mine");
      store().sweepWork();
      work.keep();
    }
    try (Work second = store().work(web)) {
      assertThat(second.folder()).isNotEqualTo(disk.getParent());
      Files.createDirectories(second.folder());
    }
    used = Set.of(disk);
    store().sweepWork();
    assertThat(disk).exists();

    used = Set.of();
    store().sweepWork();
    assertThat(folder.resolve("work")).isEmptyDirectory();
  }

  @Test
  void aStoreThatOthersMayWriteToIsRefused() throws IOException {
    Samples.save(store(), "web");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxr-x"));

    assertThatExceptionOfType(SnapshotException.class)
        .isThrownBy(this::store)
        .withMessageContaining("chmod -R go-w " + folder)
        .satisfies(e -> assertThat(e.fault()).isEqualTo(Fault.FOREIGN));
  }

  @Test
  void aStoreThatIsNoFolder() throws IOException {
    Files.writeString(folder, "");
    assertThatExceptionOfType(UsageException.class).isThrownBy(this::store);
  }

  @Test
  void whereItIsWhenNothingIsSaid() {
    Map<String, String> home = Map.of("HOME", "/home/u");
    assertThat(Store.defaultFolder(home)).isEqualTo(Path.of("/home/u/.local/share/vmckpt"));
    assertThat(Store.defaultFolder(Map.of("HOME", "/h", "XDG_DATA_HOME", "/x")))
        .isEqualTo(Path.of("/x/vmckpt"));
    assertThat(Store.defaultFolder(Map.of("HOME", "/h", "XDG_DATA_HOME", "relative")))
        .isEqualTo(Path.of("/h/.local/share/vmckpt"));
    assertThat(Store.defaultFolder(Map.of("HOME", "/h", "VMCKPT_STORE", "s")))
        .isEqualTo(Path.of("s"));
  }
}
