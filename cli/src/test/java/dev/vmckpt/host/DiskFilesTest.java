// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Isolated
class DiskFilesTest {
  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;
  private static final int O_DIRECT = 040000;

  private interface Body {
    void run(Path folder, AdapterKit kit) throws IOException;
  }

  private static void on(TestFileSystem.Type type, Body body) throws IOException {
    try (TestFileSystem home = TestFileSystem.of(type);
        AdapterKit kit = new AdapterKit(new FilesAdapter(), home.folder())) {
      body.run(home.folder(), kit);
    }
  }

  private static void onTmp(Body body) throws IOException {
    on(TestFileSystem.Type.TMP, body);
  }

  @ParameterizedTest
  @EnumSource
  void comesBackOnACopyOfItsOwn(TestFileSystem.Type type) throws IOException {
    on(
        type,
        (folder, kit) -> {
          Path disk = folder.resolve("disk.img");
          int fd = kit.open(Files.writeString(disk, "as it was in the pause"), O_RDWR);
          kit.seek(fd, 3);
          Recorded recorded = kit.record(fd).get(0);
          boolean reflink = kit.cloner.canReflink(disk, folder);
          assertThat(recorded.copiedInPauseBytes() == 0).isEqualTo(reflink);
          assertThat(kit.announced).hasSize(reflink ? 0 : 1);
          assertThat(kit.diskBytes).isPositive();
          kit.write(fd, "written after the snapshot");
          String original = Files.readString(disk);
          kit.close(fd);

          int again = kit.reattach(recorded);
          assertThat(kit.info(again).position()).isEqualTo(3);
          assertThat(kit.read(again, 100)).isEqualTo("it was in the pause");
          kit.seek(again, 0);
          kit.write(again, "RESTORED!");
          assertThat(disk).hasContent(original);
          assertThat(kit.snapshot().resolve("disks/0-disk.img"))
              .hasContent("as it was in the pause");
          assertThat(kit.work().resolve("0-disk.img")).hasContent("RESTORED! in the pause");
          assertThat(kit.notes).singleElement().asString().contains("copy of its own");
        });
  }

  @Test
  void saysBeforeThePauseWhatWillBeCopied() throws IOException {
    on(
        TestFileSystem.Type.TMPFS,
        (folder, kit) -> {
          Path disk = folder.resolve("disk");
          Files.write(disk, new byte[12 << 20]);
          kit.record(kit.open(disk, O_RDWR));
          assertThat(kit.announced)
              .containsExactly(
                  "disk "
                      + disk
                      + ": 12 MiB will be copied inside the pause: tmpfs cannot share blocks");
        });
  }

  @Test
  void givesUpBeforeThePauseWhenThereIsNoRoom() throws IOException {
    on(
        TestFileSystem.Type.TMPFS,
        (folder, kit) -> {
          Path disk = folder.resolve("disk");
          Files.write(disk, new byte[40 << 20]);
          int fd = kit.open(disk, O_RDWR);
          assertThatThrownBy(() -> kit.record(fd))
              .isInstanceOf(FailureException.class)
              .hasMessageContaining("there is no room for the disks");
        });
  }

  @Test
  void sharesOneCopyBetweenAllDescriptionsOfAFile() throws IOException {
    onTmp(
        (folder, kit) -> {
          Path disk = Files.writeString(folder.resolve("disk"), "0123456789");
          int one = kit.open(disk, O_RDWR);
          int two = kit.open(disk, O_RDWR);
          int reader = kit.open(disk, 0);
          int writer = kit.open(disk, O_WRONLY);
          kit.seek(two, 5);
          List<Recorded> recorded = kit.record(one, two, reader, writer);
          assertThat(kit.snapshot().resolve("disks")).isDirectoryContaining("glob:**/0-disk");
          assertThat(names(kit.snapshot().resolve("disks"))).hasSize(1);
          for (int fd : List.of(one, two, reader, writer)) {
            kit.close(fd);
          }
          one = kit.reattach(recorded.get(0));
          two = kit.reattach(recorded.get(1));
          reader = kit.reattach(recorded.get(2));
          writer = kit.reattach(recorded.get(3));
          kit.write(one, "AB");
          kit.write(two, "CD");
          kit.seek(writer, 9);
          kit.write(writer, "E");
          assertThat(kit.read(reader, 100)).isEqualTo("AB234CD78E");
          assertThat(disk).hasContent("0123456789");
          assertThat(kit.notes).hasSize(1);
        });
  }

  @Test
  void keepsTwoDisksOfTheSameNameApart() throws IOException {
    onTmp(
        (folder, kit) -> {
          Path one = Files.createDirectory(folder.resolve("one")).resolve("disk");
          Path two = Files.createDirectory(folder.resolve("two")).resolve("disk");
          int first = kit.open(Files.writeString(one, "first"), O_RDWR);
          int second = kit.open(Files.writeString(two, "second"), O_RDWR);
          List<Recorded> recorded = kit.record(first, second);
          assertThat(kit.read(kit.reattach(recorded.get(1)), 100)).isEqualTo("second");
          assertThat(kit.read(kit.reattach(recorded.get(0)), 100)).isEqualTo("first");
        });
  }

  @Test
  void keepsDirectInputAndOutput() throws IOException {
    onTmp(
        (folder, kit) -> {
          Path disk = folder.resolve("disk");
          Files.write(disk, new byte[8192]);
          int again = kit.reattach(kit.take(kit.open(disk, O_RDWR | O_DIRECT)));
          assertThat(kit.info(again).flags() & O_DIRECT).isNotZero();
        });
  }

  @ParameterizedTest
  @EnumSource
  void goesBackInPlace(TestFileSystem.Type type) throws IOException {
    on(
        type,
        (folder, kit) -> {
          Path disk = Files.writeString(folder.resolve("disk"), "saved");
          Files.setPosixFilePermissions(disk, PosixFilePermissions.fromString("rw-r-----"));
          int one = kit.open(disk, O_RDWR);
          int two = kit.open(disk, 0);
          List<Recorded> recorded = kit.record(one, two);
          kit.close(one);
          kit.close(two);
          Files.writeString(disk, "went on");
          kit.inPlace = true;
          one = kit.reattach(recorded.get(0));
          kit.write(one, "S");
          two = kit.reattach(recorded.get(1));
          assertThat(kit.read(two, 100)).isEqualTo("Saved");
          assertThat(disk).hasContent("Saved");
          assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(disk)))
              .isEqualTo("rw-r-----");
          assertThat(kit.snapshot().resolve("disks/0-disk")).hasContent("saved");
          assertThat(names(folder)).noneMatch(name -> name.contains("vmckpt"));
        });
  }

  @Test
  void doesNotTakeADiskFromSomebodyWhoWritesIt() throws IOException {
    onTmp(
        (folder, kit) -> {
          Path disk = Files.writeString(folder.resolve("disk"), "saved");
          int fd = kit.open(disk, O_RDWR);
          Recorded recorded = kit.take(fd);
          Process writer =
              new ProcessBuilder("sh", "-c", "echo here; exec sleep 60 3<>" + disk)
                  .redirectErrorStream(true)
                  .start();
          try {
            waitUntilOpen(writer, disk);
            kit.inPlace = true;
            assertThatThrownBy(() -> kit.reattach(recorded))
                .isInstanceOf(RefusedException.class)
                .hasMessageContaining("fd:" + fd + " " + disk)
                .hasMessageContaining("is open for writing in " + writer.pid() + " (sleep)");
          } finally {
            writer.destroyForcibly();
          }
        });
  }

  private static void waitUntilOpen(Process process, Path file) throws IOException {
    Path link = Path.of("/proc/" + process.pid() + "/fd/3");
    Path comm = Path.of("/proc/" + process.pid() + "/comm");
    for (int i = 0; i < 1000; i++) {
      if (Files.isSymbolicLink(link)
          && Files.readSymbolicLink(link).equals(file)
          && Files.readString(comm, StandardCharsets.UTF_8).startsWith("sleep")) {
        return;
      }
      java.util.concurrent.locks.LockSupport.parkNanos(10_000_000);
    }
    throw new AssertionError("it never opened " + file);
  }

  @Test
  void opensTheUsersOwnDiskInstead() throws IOException {
    onTmp(
        (folder, kit) -> {
          Path disk = Files.writeString(folder.resolve("disk"), "saved");
          Path own = Files.writeString(folder.resolve("own"), "my own");
          int fd = kit.open(disk, O_RDWR);
          kit.seek(fd, 3);
          Recorded recorded = kit.take(fd);
          kit.elsewhere.put("fd:" + fd, own.toString());
          int again = kit.reattach(recorded);
          assertThat(kit.read(again, 100)).isEqualTo("own");
          assertThat(kit.work()).isEmptyDirectory();
        });
  }

  @Test
  void namesAWorkingCopyLikeTheFirstOneInEveryGeneration() throws IOException {
    onTmp(
        (folder, kit) -> {
          Path disk = Files.writeString(folder.resolve("disk"), "saved");
          int second = kit.reattach(kit.take(kit.open(disk, O_RDWR)));
          kit.take(second);
          assertThat(names(kit.snapshot().resolve("disks"))).containsExactly("0-disk", "1-disk");
        });
  }

  private static List<String> names(Path folder) throws IOException {
    try (var list = Files.list(folder)) {
      return list.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }
}
