// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.raw.Sys;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** A file system of a test's own: an empty folder on it, unmounted and removed at the end. */
public final class TestFileSystem implements AutoCloseable {
  /** What there is. */
  public enum Type {
    /** Whatever /tmp lies on. */
    TMP,
    EXT4,
    XFS,
    BTRFS,
    TMPFS;

    public boolean sharesBlocks() {
      return this == XFS || this == BTRFS;
    }
  }

  private static final long IMAGE_BYTES = 512L << 20;
  private static final int GETUID = 102;

  private final Path base;
  private final Path folder;
  private final boolean mounted;

  private TestFileSystem(Path base, Path folder, boolean mounted) {
    this.base = base;
    this.folder = folder;
    this.mounted = mounted;
  }

  static TestFileSystem of(Type type) {
    return of(type, IMAGE_BYTES);
  }

  /**
   * One of some size; what nobody writes to takes nothing.
   *
   * @param bytes of its image, if it has one
   */
  public static TestFileSystem of(Type type, long bytes) {
    if (type != Type.TMP) {
      assumeTrue(
          Sys.tryCall(GETUID, 0, 0, 0) == 0, "only root may mount the file system of this test");
    }
    try {
      Path base = Files.createTempDirectory("vmckpt-host-test-");
      if (type == Type.TMP) {
        return new TestFileSystem(base, base, false);
      }
      Path mount = Files.createDirectory(base.resolve("mount"));
      TestFileSystem made = new TestFileSystem(base, mount, true);
      try {
        made.mount(type, bytes);
      } catch (IOException | RuntimeException | AssertionError e) {
        made.removeBase();
        throw e;
      }
      return made;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void mount(Type type, long bytes) throws IOException {
    if (type == Type.TMPFS) {
      run("mount", "-t", "tmpfs", "-o", "size=64m", "none", folder.toString());
      return;
    }
    Path image = base.resolve("image");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(bytes);
    }
    String mkfs = "mkfs." + type.name().toLowerCase(Locale.ROOT);
    assumeTrue(
        Files.exists(Path.of("/usr/sbin", mkfs)) || Files.exists(Path.of("/sbin", mkfs)),
        mkfs + " is not installed");
    run("/usr/sbin/" + mkfs, "-q", image.toString());
    run("mount", "-o", "loop", image.toString(), folder.toString());
  }

  public Path folder() {
    return folder;
  }

  @Override
  public void close() {
    try {
      if (mounted) {
        run("umount", folder.toString());
      }
      removeBase();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void removeBase() throws IOException {
    List<Path> all;
    try (var walk = Files.walk(base)) {
      all = walk.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : all) {
      Files.delete(path);
    }
  }

  private static void run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    assertThat(process.exitValue()).as("%s: %s", List.of(command), output).isZero();
  }
}
