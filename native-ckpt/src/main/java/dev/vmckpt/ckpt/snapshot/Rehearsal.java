// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.objects.KernelObject;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.ckpt.objects.ObjectsRehearsal;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a snapshot of a throwaway process, so that no class is loaded and no method is run for the
 * first time inside a real pause: most of the pause of a cold JVM is its own.
 */
public final class Rehearsal {
  private static final Logger LOG = LoggerFactory.getLogger(Rehearsal.class);

  /** Ends by itself soon, should we die before we can end it. */
  private static final String[] PROGRAM = {"/bin/sleep", "10"};

  private static final int ROUNDS = 3;

  private Rehearsal() {}

  /** Rehearses; what goes wrong here is no failure, only a longer pause. */
  public static void run(SnapshotEngine engine) {
    for (KernelObject<?> object : KernelObjects.all()) {
      load(object.imageType());
    }
    int pid = Spawn.start(PROGRAM);
    try {
      for (int round = 0; round < ROUNDS; round++) {
        Path folder = Files.createTempDirectory("vmckpt-rehearsal");
        try {
          if (round == 0) {
            ObjectsRehearsal.run(folder);
          }
          engine.take(
              new SnapshotRequest(pid, folder, Set.of(), null, false), ProgressListener.SILENT);
        } finally {
          delete(folder);
        }
      }
    } catch (VmckptException | IOException e) {
      LOG.debug("the rehearsal failed: the pause will be longer", e);
    } finally {
      Sys.tryCall(Nr.KILL, pid, 9, 0);
      NativeBuffer status = new NativeBuffer(8);
      Sys.tryCall(Nr.WAIT4, pid, status.address(), 0);
    }
  }

  private static void load(Class<?> type) {
    try {
      Class.forName(type.getName(), true, type.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void delete(Path folder) throws IOException {
    List<Path> paths = new ArrayList<>();
    try (var walk = Files.walk(folder)) {
      walk.forEach(paths::add);
    }
    Collections.reverse(paths);
    for (Path path : paths) {
      Files.delete(path);
    }
  }
}
