// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** Everything about files that is not a disk. */
@Isolated
class FilesAdapterTest {
  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;
  private static final int O_APPEND = 02000;
  private static final int O_TMPFILE = 020200000;
  private static final int O_DIRECTORY = 0200000;

  private TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP);
  private AdapterKit kit = kit(home);
  private Path file = home.folder().resolve("file");

  private static AdapterKit kit(TestFileSystem home) {
    try {
      return new AdapterKit(new FilesAdapter(), home.folder());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @BeforeEach
  void content() throws IOException {
    Files.writeString(file, "0123456789");
  }

  @AfterEach
  void close() {
    kit.close();
    home.close();
  }

  @Test
  void isFoundByTheServiceLoader() {
    assertThat(ServiceLoader.load(Adapter.class))
        .extracting(Adapter::name)
        .contains("files", "terminals");
  }

  @Test
  void readsAReadOnlyFileFromWhereItWas() {
    int fd = kit.open(file, 0);
    kit.seek(fd, 3);
    int again = kit.reattach(kit.take(fd));
    assertThat(kit.info(again).position()).isEqualTo(3);
    assertThat(kit.read(again, 4)).isEqualTo("3456");
    assertThat(kit.notes).isEmpty();
    assertThat(kit.snapshot()).isEmptyDirectory();
  }

  @Test
  void saysThatAReadOnlyFileHasChanged() throws IOException {
    Recorded recorded = kit.take(kit.open(file, 0));
    Files.writeString(file, "something else");
    kit.reattach(recorded);
    assertThat(kit.notes).singleElement().asString().contains("has changed").contains("/file");
  }

  @Test
  void refusesAMissingReadOnlyFileByName() throws IOException {
    int fd = kit.open(file, 0);
    Recorded recorded = kit.take(fd);
    Files.delete(file);
    assertThatThrownBy(() -> kit.reattach(recorded))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("fd:" + fd + " " + file + ": is missing")
        .hasMessageContaining("--reattach fd:" + fd + "=PATH");
  }

  @Test
  void opensWhatTheUserNamesInstead() throws IOException {
    int fd = kit.open(file, 0);
    kit.seek(fd, 2);
    Recorded recorded = kit.take(fd);
    Path other = Files.writeString(home.folder().resolve("other"), "abcdef");
    kit.elsewhere.put("fd:" + fd, other.toString());
    int again = kit.reattach(recorded);
    assertThat(kit.read(again, 2)).isEqualTo("cd");
    assertThat(kit.notes).singleElement().asString().contains("stands in for");
  }

  @Test
  void goesOnWithALogWhereItWas() {
    int fd = kit.open(file, O_WRONLY);
    kit.seek(fd, 4);
    int again = kit.reattach(kit.take(fd));
    kit.write(again, "ab");
    assertThat(file).hasContent("0123ab6789");
    assertThat(kit.notes).isEmpty();
  }

  @Test
  void goesOnAtTheEndOfALogThatHasGrown() throws IOException {
    int fd = kit.open(file, O_WRONLY);
    kit.seek(fd, 10);
    Recorded recorded = kit.take(fd);
    Files.writeString(file, " and more", StandardOpenOption.APPEND);
    int again = kit.reattach(recorded);
    kit.write(again, "!");
    assertThat(file).hasContent("0123456789 and more!");
    assertThat(kit.notes).singleElement().asString().contains("has grown");
  }

  @Test
  void goesOnAtTheEndOfALogThatWasEmptied() throws IOException {
    int fd = kit.open(file, O_WRONLY);
    kit.seek(fd, 10);
    Recorded recorded = kit.take(fd);
    Files.writeString(file, "");
    kit.write(kit.reattach(recorded), "!");
    assertThat(file).hasContent("!");
  }

  @Test
  void keepsAppendingToALog() {
    int fd = kit.open(file, O_WRONLY | O_APPEND);
    int again = kit.reattach(kit.take(fd));
    assertThat(kit.info(again).flags() & O_APPEND).isNotZero();
    kit.seek(again, 0);
    kit.write(again, "!");
    assertThat(file).hasContent("0123456789!");
  }

  @Test
  void makesAMissingLogAgain() throws IOException {
    Recorded recorded = kit.take(kit.open(file, O_WRONLY));
    Files.delete(file);
    kit.write(kit.reattach(recorded), "new");
    assertThat(file).hasContent("new");
    assertThat(kit.notes).singleElement().asString().contains("was missing");
  }

  @Test
  void keepsWhatADeletedFileHolds() throws IOException {
    int fd = kit.open(file, O_RDWR);
    kit.seek(fd, 5);
    int reader = kit.open(file, 0);
    Files.delete(file);
    List<Recorded> recorded = kit.record(fd, reader);
    kit.seek(fd, 0);
    kit.write(fd, "disturbed");
    kit.close(fd);
    kit.close(reader);
    int again = kit.reattach(recorded.get(0));
    int readerAgain = kit.reattach(recorded.get(1));
    assertThat(kit.read(again, 100)).isEqualTo("56789");
    assertThat(kit.describe(again).stat().links()).isZero();
    kit.write(again, "+");
    assertThat(kit.read(readerAgain, 100)).isEqualTo("0123456789+");
    assertThat(kit.work()).isEmptyDirectory();
    assertThat(file).doesNotExist();
  }

  @Test
  void keepsAFileThatNeverHadAName() {
    int fd = kit.open(home.folder(), O_TMPFILE | O_RDWR);
    kit.write(fd, "overlay");
    Recorded recorded = kit.take(fd);
    int again = kit.reattach(recorded);
    kit.seek(again, 0);
    assertThat(kit.read(again, 100)).isEqualTo("overlay");
    // And once more: a restored process can be saved again.
    int third = kit.reattach(kit.take(again));
    kit.seek(third, 4);
    assertThat(kit.read(third, 100)).isEqualTo("lay");
  }

  @Test
  void keepsAFileWhoseNameWasGivenToAnother() throws IOException {
    int fd = kit.open(file, 0);
    Path other = Files.writeString(home.folder().resolve("other"), "not this");
    Files.move(other, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    int again = kit.reattach(kit.take(fd));
    assertThat(kit.read(again, 100)).isEqualTo("0123456789");
  }

  @Test
  void opensDirectoriesAgain() {
    int again = kit.reattach(kit.take(kit.open(home.folder(), O_DIRECTORY)));
    assertThat(kit.describe(again).stat().isDirectory()).isTrue();
    assertThat(kit.describe(again).link()).isEqualTo(home.folder().toString());
  }

  @Test
  void opensFilesOfTheKernelAgainAsItsOwn() {
    Recorded recorded = kit.take(kit.open(Path.of("/proc/self/status"), 0));
    assertThat(RecordJson.write(recorded.state())).asString().contains("/proc/self/status");
    assertThat(kit.describe(kit.reattach(recorded)).link())
        .isEqualTo("/proc/" + kit.process.pid() + "/status");
    assertThat(kit.notes).isEmpty();
  }

  @Test
  void refusesToCarryWritableFilesOfTheKernel() {
    int fd = kit.open(Path.of("/proc/self/oom_score_adj"), O_RDWR);
    assertThat(kit.claim(fd)).map(Claim::refusal).isPresent();
    assertThat(kit.claim(fd)).map(Claim::remedy).contains("leave it out: --drop fd:" + fd);
  }

  @Test
  void claimsNothingThatIsNoFile() {
    assertThat(kit.claim(kit.open(Path.of("/dev/null"), 0))).isEmpty();
    kit.process.write(kit.process.scratch(), new byte[] {'m', 0});
    int memfd =
        (int)
            kit.process.call(
                "memfd_create", "m", Nr.MEMFD_CREATE, kit.process.scratch().value(), 0);
    assertThat(kit.claim(memfd)).isEmpty();
    kit.process.call("close", "m", Nr.CLOSE, memfd);
  }

  @Test
  void doesNotOpenAMissingDirectoryForALog() throws IOException {
    Path folder = Files.createDirectory(home.folder().resolve("logs"));
    Path log = Files.createFile(folder.resolve("log"));
    Recorded recorded = kit.take(kit.open(log, O_WRONLY));
    Files.delete(log);
    Files.delete(folder);
    assertThatThrownBy(() -> kit.reattach(recorded)).isInstanceOf(RefusedException.class);
  }

  @Test
  void tellsAMissingPermissionFromAMissingFile() throws IOException {
    Recorded recorded = kit.take(kit.open(file, O_WRONLY));
    Files.delete(file);
    Files.createDirectory(file);
    assertThatThrownBy(() -> kit.reattach(recorded)).isInstanceOf(SyscallException.class);
  }
}
