// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.SyscallException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LinuxFileClonerTest {
  private static final int MIB = 1 << 20;

  private final FileCloner cloner = new LinuxFileCloner();

  @ParameterizedTest
  @EnumSource
  void sharesBlocksWhereTheFileSystemCan(TestFileSystem.Type type) throws IOException {
    try (TestFileSystem home = TestFileSystem.of(type)) {
      Path file = sparse(home.folder().resolve("source"));
      List<Path> before = names(home.folder());
      boolean reflink = cloner.canReflink(file, home.folder());
      if (type != TestFileSystem.Type.TMP) {
        assertThat(reflink).isEqualTo(type.sharesBlocks());
      }
      assertThat(names(home.folder())).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @EnumSource
  void copiesDataAndHoles(TestFileSystem.Type type) throws IOException {
    try (TestFileSystem home = TestFileSystem.of(type)) {
      Path file = sparse(home.folder().resolve("source"));
      Path copy = home.folder().resolve("copy");
      boolean reflink = cloner.canReflink(file, home.folder());
      long copied = cloner.copy(file, copy);
      assertThat(copied).isEqualTo(reflink ? 0 : 3L * MIB);
      assertThat(Files.mismatch(file, copy)).isEqualTo(-1);
      assertThat(cloner.dataBytes(copy)).isEqualTo(3L * MIB);
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(copy)))
          .isEqualTo("rw-------");
    }
  }

  @Test
  void knowsThatBlocksAreNotSharedBetweenFileSystems() throws IOException {
    try (TestFileSystem xfs = TestFileSystem.of(TestFileSystem.Type.XFS);
        TestFileSystem other = TestFileSystem.of(TestFileSystem.Type.XFS)) {
      Path file = sparse(xfs.folder().resolve("source"));
      assertThat(cloner.canReflink(file, other.folder())).isFalse();
      Path copy = other.folder().resolve("copy");
      assertThat(cloner.copy(file, copy)).isEqualTo(3L * MIB);
      assertThat(Files.mismatch(file, copy)).isEqualTo(-1);
    }
  }

  @Test
  void sharesBlocksOfAFileThatIsNotCopiedOnWrite() throws IOException {
    try (TestFileSystem btrfs = TestFileSystem.of(TestFileSystem.Type.BTRFS)) {
      Path file = Files.createFile(btrfs.folder().resolve("nocow"));
      assertThat(new ProcessBuilder("chattr", "+C", file.toString()).start().onExit().join())
          .returns(0, Process::exitValue);
      sparse(file);
      assertThat(cloner.canReflink(file, btrfs.folder())).isTrue();
      assertThat(cloner.copy(file, btrfs.folder().resolve("copy"))).isZero();
    }
  }

  @Test
  void copiesAnEmptyFileAndOneThatIsAllHole() throws IOException {
    try (TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP)) {
      Path empty = Files.createFile(home.folder().resolve("empty"));
      assertThat(cloner.copy(empty, home.folder().resolve("copy"))).isZero();
      Path hole = home.folder().resolve("hole");
      try (RandomAccessFile file = new RandomAccessFile(hole.toFile(), "rw")) {
        file.setLength(5L * MIB + 7);
      }
      Path copy = home.folder().resolve("copy-of-hole");
      assertThat(cloner.copy(hole, copy)).isZero();
      assertThat(Files.size(copy)).isEqualTo(5L * MIB + 7);
    }
  }

  @Test
  void leavesNothingBehindOnAFullDisk() throws IOException {
    try (TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP);
        TestFileSystem small = TestFileSystem.of(TestFileSystem.Type.TMPFS)) {
      Path file = home.folder().resolve("big");
      Files.write(file, new byte[80 * MIB]);
      Path copy = small.folder().resolve("copy");
      assertThatThrownBy(() -> cloner.copy(file, copy))
          .isInstanceOf(FailureException.class)
          .hasMessageContaining("there is no room to write " + copy);
      assertThat(copy).doesNotExist();
    }
  }

  @Test
  void neverWritesOverAFileOrThroughALink() throws IOException {
    try (TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP)) {
      Path file = Files.writeString(home.folder().resolve("file"), "new");
      Path there = Files.writeString(home.folder().resolve("there"), "old");
      Path link = Files.createSymbolicLink(home.folder().resolve("link"), there);
      assertThatThrownBy(() -> cloner.copy(file, there)).isInstanceOf(SyscallException.class);
      assertThatThrownBy(() -> cloner.copy(file, link)).isInstanceOf(SyscallException.class);
      assertThat(there).hasContent("old");
    }
  }

  /** 8 MiB and a little: data at 1 to 3 MiB and at 6 to 7 MiB, holes around it. */
  private static Path sparse(Path path) throws IOException {
    byte[] data = new byte[2 * MIB];
    new Random(4711).nextBytes(data);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(8L * MIB + 123);
      file.seek(MIB);
      file.write(data);
      file.seek(6L * MIB);
      file.write(data, 0, MIB);
    }
    return path;
  }

  private static List<Path> names(Path folder) throws IOException {
    try (var list = Files.list(folder)) {
      return list.sorted().toList();
    }
  }
}
