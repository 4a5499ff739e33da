// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.Understudy;
import dev.vmckpt.ckpt.objects.KernelObject;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.spi.error.VmckptException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a snapshot of a throwaway process, so that no class is loaded and no method is run for the
 * first time inside a real pause: most of the pause of a cold JVM is its own.
 */
public final class Rehearsal {
  private static final Logger LOG = LoggerFactory.getLogger(Rehearsal.class);

  private static final int SECONDS = 10;
  private static final int ROUNDS = 2;
  private static final String FOLDER = "vmckpt-rehearsal";

  /** Longer than any rehearsal lasts, by far. */
  private static final Duration OLD = Duration.ofHours(1);

  private Rehearsal() {}

  /**
   * Rehearses; what goes wrong here is no failure, only a longer pause.
   *
   * @param concerned the names of the adapters that carry something of the real target
   */
  public static void run(SnapshotEngine engine, Set<String> concerned) {
    for (KernelObject<?> object : KernelObjects.all()) {
      load(object.imageType());
    }
    Path home = null;
    try {
      home = Files.createTempDirectory(FOLDER);
      removeOld(Objects.requireNonNull(home.getParent()));
      try (Understudy understudy = Understudy.start(home, SECONDS)) {
        engine.furnish(understudy.pid(), adapter -> concerned.contains(adapter.name()));
        for (int round = 0; round < ROUNDS; round++) {
          Path folder = Files.createDirectory(home.resolve("round" + round));
          engine.take(
              new SnapshotRequest(understudy.pid(), folder, Set.of(), null, false),
              ProgressListener.SILENT);
        }
      }
    } catch (VmckptException | IOException e) {
      LOG.debug("the rehearsal failed: the pause will be longer", e);
    } finally {
      delete(home);
    }
  }

  /** Furnishes a throwaway process with what every adapter carries. */
  public static void furnish(SnapshotEngine engine, int pid) {
    engine.furnish(pid, adapter -> true);
  }

  /** Removes what rehearsals of ours have left that were killed. */
  static void removeOld(Path parent) throws IOException {
    Object ours = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    Instant before = Instant.now().minus(OLD);
    try (DirectoryStream<Path> all = Files.newDirectoryStream(parent, FOLDER + "*")) {
      for (Path each : all) {
        LinkOption itself = LinkOption.NOFOLLOW_LINKS;
        if (Files.isDirectory(each, itself)
            && Files.getAttribute(each, "unix:uid", itself).equals(ours)
            && Files.getLastModifiedTime(each, itself).toInstant().isBefore(before)) {
          delete(each);
        }
      }
    }
  }

  private static void load(Class<?> type) {
    try {
      Class.forName(type.getName(), true, type.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void delete(@Nullable Path folder) {
    if (folder == null) {
      return;
    }
    try {
      Folders.empty(folder);
      Files.delete(folder);
    } catch (IOException e) {
      LOG.debug("{} stays behind", folder, e);
    }
  }
}
