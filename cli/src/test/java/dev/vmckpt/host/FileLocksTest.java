// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** Locks through a snapshot and back. */
@Isolated
class FileLocksTest {
  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;
  private static final int F_SETLK = 6;
  private static final int F_OFD_SETLK = 37;
  private static final int FLOCK = 73;
  private static final int LOCK_EX = 2;

  private final TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP);
  private final Path file = home.folder().resolve("file");
  private AdapterKit kit;

  FileLocksTest() throws IOException {
    kit = new AdapterKit(new FilesAdapter(), home.folder());
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
  void takesTheLocksOfADescriptionAgain() {
    int fd = kit.open(file, O_RDWR);
    lock(fd, F_OFD_SETLK, new FileLock(FileLock.Owner.OFD, false, 100, 1, fd));
    lock(fd, F_OFD_SETLK, new FileLock(FileLock.Owner.OFD, true, 200, 0, fd));
    List<String> before = locks(fd);
    assertThat(before).hasSize(2);
    int again = kit.reattach(kit.take(fd));
    assertThat(locks(again)).isEqualTo(before);
  }

  @Test
  void takesFlockAgain() {
    int fd = kit.open(file, O_RDWR);
    kit.process.call("flock", "file", FLOCK, fd, LOCK_EX);
    List<String> before = locks(fd);
    assertThat(before).hasSize(1);
    assertThat(locks(kit.reattach(kit.take(fd)))).isEqualTo(before);
  }

  @Test
  void takesTheLocksOfAProcessAgainAtTheirOwnNumbers() {
    // No disk: this very process would open it to copy it, and lose its locks by closing it.
    int one = kit.open(file, O_WRONLY);
    int two = kit.open(file, 0);
    lock(one, F_SETLK, new FileLock(FileLock.Owner.POSIX, true, 1, 1, one));
    lock(two, F_SETLK, new FileLock(FileLock.Owner.POSIX, false, 5, 3, two));
    List<String> before = locks(one);
    List<Recorded> recorded = kit.record(one, two);
    kit.close(one);
    kit.close(two);
    // The one at the higher number first: the lowest free number is not the wanted one.
    assertThat(kit.reattach(recorded.get(1))).isEqualTo(two);
    assertThat(kit.reattach(recorded.get(0))).isEqualTo(one);
    assertThat(locks(one)).isEqualTo(before).hasSize(1);
    assertThat(locks(two)).hasSize(1);
  }

  @Test
  void refusesAFileThatSomebodyElseHasLocked() {
    int fd = kit.open(file, 0);
    lock(fd, F_OFD_SETLK, new FileLock(FileLock.Owner.OFD, false, 100, 1, fd));
    Recorded recorded = kit.take(fd);
    int other = kit.open(file, O_RDWR);
    lock(other, F_OFD_SETLK, new FileLock(FileLock.Owner.OFD, true, 0, 0, other));
    assertThatThrownBy(() -> kit.reattach(recorded))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("somebody else has locked it");
  }

  private void lock(int fd, int command, FileLock lock) {
    kit.process.write(kit.process.scratch(), lock.struct());
    kit.process.call("fcntl", "file", Nr.FCNTL, fd, command, kit.process.scratch().value());
  }

  /** The lock lines without their numbers and without the file they are on. */
  private List<String> locks(int fd) {
    List<String> locks = new ArrayList<>();
    for (FileLock lock : FileLock.of(kit.info(fd), 0)) {
      locks.add(lock.toString());
    }
    locks.sort(null);
    return locks;
  }
}
