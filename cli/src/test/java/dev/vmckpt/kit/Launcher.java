// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kit;

import dev.vmckpt.images.Images;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The command line as users have it: the launcher, this build's jars and a prepared start, in a
 * tree without sources, so that it does not build anew when one of them is changed meanwhile. Its
 * start takes half the processor time of a Java that was prepared for nothing.
 */
public final class Launcher {
  private static final List<String> BUILT = List.of("lib", "jna", "built");

  private Launcher() {}

  /** Made once, at its first use. */
  private static final class Holder {
    static final Path PATH = make();
  }

  /**
   * The launcher: that of the property {@code vmckpt.launcher}, else one of this build.
   *
   * @throws IllegalStateException if there is no build: the tests run behind its packaging
   */
  public static Path path() {
    String given = System.getProperty("vmckpt.launcher", "");
    return given.isEmpty() ? Holder.PATH : Path.of(given);
  }

  private static Path make() {
    Path target = Images.root().resolve("cli/target");
    Path tree = target.resolve("launcher");
    Path copy = tree.resolve("cli/target");
    try {
      if (!Files.exists(target.resolve("built"))) {
        throw new IllegalStateException("no build in " + target + ": mvn -pl cli -am verify");
      }
      remove(tree);
      Files.createDirectories(copy);
      for (String each : BUILT) {
        Files.createSymbolicLink(copy.resolve(each), target.resolve(each));
      }
      Path launcher = tree.resolve("vmckpt");
      Files.copy(Images.root().resolve("vmckpt"), launcher, StandardCopyOption.COPY_ATTRIBUTES);
      prepare(launcher);
      return launcher;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** A run prepares those after it. */
  private static void prepare(Path launcher) throws IOException, InterruptedException {
    Process run = new ProcessBuilder(launcher.toString(), "--version").inheritIO().start();
    if (!run.waitFor(3, TimeUnit.MINUTES) || run.exitValue() != 0) {
      run.destroyForcibly();
      throw new IllegalStateException(launcher + " --version failed");
    }
  }

  private static void remove(Path tree) throws IOException {
    if (Files.exists(tree)) {
      try (Stream<Path> all = Files.walk(tree)) {
        for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(each);
        }
      }
    }
  }
}
