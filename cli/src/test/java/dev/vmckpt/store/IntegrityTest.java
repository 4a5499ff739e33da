// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.image.Manifest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every file of a snapshot, damaged in every way, is found out and named. */
class IntegrityTest {
  private static final List<String> FILES = List.of(Samples.DISK, Samples.PAGES);

  @TempDir Path temporary = Path.of("/nonexistent");
  private Store store = Samples.store(Path.of("/nonexistent"));
  private Path home = Path.of("/nonexistent");

  @BeforeEach
  void save() {
    store = Samples.store(temporary.resolve("store"));
    home = Samples.save(store, "web").folder();
  }

  private void use() {
    store.check(store.find("web"), ProgressListener.SILENT);
  }

  private void verify() {
    store.verify(store.find("web"), ProgressListener.SILENT);
  }

  private void bothSay(Fault fault, String text) {
    for (boolean full : new boolean[] {false, true}) {
      SnapshotException e =
          catchThrowableOfType(SnapshotException.class, full ? this::verify : this::use);
      assertThat(e).as(full ? "verify" : "check").isNotNull().hasMessageContaining(text);
      assertThat(e.fault()).isEqualTo(fault);
    }
  }

  @Test
  void whole() {
    use();
    verify();
  }

  @Test
  void aMissingFile() throws IOException {
    for (String name : FILES) {
      byte[] was = Files.readAllBytes(home.resolve(name));
      Files.delete(home.resolve(name));
      bothSay(Fault.MISSING, name);
      Files.write(home.resolve(name), was);
      Files.setPosixFilePermissions(home.resolve(name), Folders.FILE);
    }
    verify();
  }

  @Test
  void aFileCutShortOrTooLong() throws IOException {
    for (String name : FILES) {
      byte[] was = Files.readAllBytes(home.resolve(name));
      for (int length : new int[] {0, was.length - 1, was.length + 1}) {
        Files.write(home.resolve(name), Arrays.copyOf(was, length));
        bothSay(Fault.CORRUPT, name);
      }
      Files.write(home.resolve(name), was);
    }
    verify();
  }

  @Test
  void aChangedByte() throws IOException {
    for (String name : FILES) {
      byte[] bytes = Files.readAllBytes(home.resolve(name));
      for (int at : new int[] {0, bytes.length / 2, bytes.length - 1}) {
        bytes[at] ^= 1;
        Files.write(home.resolve(name), bytes);
        bothSay(Fault.CORRUPT, name);
        bytes[at] ^= 1;
      }
      Files.write(home.resolve(name), bytes);
    }
    verify();
  }

  @Test
  void aChangeThatHidesItsTimeIsFoundByReadingEverything() throws IOException {
    Path disk = home.resolve(Samples.DISK);
    FileTime time = Files.getLastModifiedTime(disk);
    byte[] bytes = Files.readAllBytes(disk);
    bytes[7] ^= 1;
    Files.write(disk, bytes);
    Files.setLastModifiedTime(disk, time);

    use();
    assertThatExceptionOfType(SnapshotException.class)
        .isThrownBy(this::verify)
        .withMessageContaining("checksum");
  }

  @Test
  void aCopiedStoreIsTrustedAgainOnceItWasVerified() throws IOException {
    Path disk = home.resolve(Samples.DISK);
    FileTime time = Files.getLastModifiedTime(disk);
    Files.setLastModifiedTime(disk, FileTime.fromMillis(1));
    Files.setLastModifiedTime(home.resolve(Samples.PAGES), FileTime.fromMillis(1));

    use();
    assertThat(Files.getLastModifiedTime(disk)).isEqualTo(FileTime.fromMillis(1));
    verify();
    assertThat(Files.getLastModifiedTime(disk)).isEqualTo(time);
  }

  @Test
  void aFileThatIsNoneOfOurs() throws IOException {
    Files.writeString(home.resolve("memory/extra"), "");
    assertThatExceptionOfType(SnapshotException.class)
        .isThrownBy(this::verify)
        .satisfies(e -> assertThat(e.fault()).isEqualTo(Fault.FOREIGN))
        .withMessageContaining("memory/extra");
  }

  @Test
  void aLinkInsteadOfAFile() throws IOException {
    Path disk = home.resolve(Samples.DISK);
    Files.move(disk, temporary.resolve("disk"));
    Files.createSymbolicLink(disk, temporary.resolve("disk"));
    SnapshotException e = catchThrowableOfType(SnapshotException.class, this::use);
    assertThat(e).isNotNull();
    assertThat(e.fault()).isEqualTo(Fault.FOREIGN);
  }

  @Test
  void whatOthersCouldHaveWritten() throws IOException {
    for (Path each : List.of(home, home.resolve(Manifest.FILE), home.resolve(Samples.DISK))) {
      String mode = Files.isDirectory(each) ? "rwxrwx---" : "rw-rw----";
      Files.setPosixFilePermissions(each, PosixFilePermissions.fromString(mode));
      bothSay(Fault.FOREIGN, "can be written by others");
      Files.setPosixFilePermissions(each, Files.isDirectory(each) ? Folders.FOLDER : Folders.FILE);
    }
    verify();
  }

  @Test
  void whatBelongsToAnother() throws IOException {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root can give a file away");
    for (Path each : List.of(home, home.resolve(Manifest.FILE), home.resolve(Samples.DISK))) {
      Files.setAttribute(each, "unix:uid", 12345);
      bothSay(Fault.FOREIGN, "belongs to user 12345");
      Files.setAttribute(each, "unix:uid", 0);
    }
    verify();
  }

  @Test
  void aRenamedSnapshot() throws IOException {
    Path other = home.resolveSibling("00112233445566aa");
    Files.move(home, other);
    assertThatExceptionOfType(SnapshotException.class)
        .isThrownBy(() -> store.find("00112233445566aa"))
        .withMessageContaining("renamed");
  }

  @Test
  void aDamagedManifestIsListedWithItsFault() throws IOException {
    Path manifest = home.resolve(Manifest.FILE);
    byte[] good = Files.readAllBytes(manifest);
    String text = new String(good, StandardCharsets.UTF_8);

    listed(manifest, new byte[0], Fault.CORRUPT);
    listed(manifest, Arrays.copyOf(good, good.length - 1), Fault.CORRUPT);
    listed(manifest, Arrays.copyOf(good, 30), Fault.CORRUPT);
    listed(manifest, bytes(text.replace("\"format\":1", "\"format\":2")), Fault.TOO_NEW);
    listed(manifest, bytes(text.replace("\"format\":1", "\"format\":0")), Fault.TOO_OLD);
    listed(manifest, bytes("PK" + "x".repeat(100)), Fault.FOREIGN);
    listed(manifest, bytes(text.replace("sample", "Sample")), Fault.CORRUPT);
    Files.delete(manifest);
    assertThat(only().fault()).isNotNull();

    Files.write(manifest, good);
    Files.setPosixFilePermissions(manifest, Folders.FILE);
    verify();
  }

  private void listed(Path manifest, byte[] content, Fault fault) throws IOException {
    Files.write(manifest, content);
    SnapshotException found = only().fault();
    assertThat(found).isNotNull();
    assertThat(found.fault()).as(String.valueOf(found.getMessage())).isEqualTo(fault);
  }

  private Listed only() {
    List<Listed> all = store.list();
    assertThat(all).hasSize(1);
    return all.get(0);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
