// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Where the built guests and target programs lie; what is missing, or older than its source, is
 * built when it is asked for.
 */
public final class Images {
  private static final String FOLDER = "test-images";

  /** What was looked at by make in this JVM. */
  private static final Set<String> LOOKED_AT = new HashSet<>();

  private Images() {}

  /** The root of the project: the property {@code vmckpt.root}, else a folder above this one. */
  public static Path root() {
    String given = System.getProperty("vmckpt.root");
    if (given != null) {
      return Path.of(given).toAbsolutePath().normalize();
    }
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (Files.exists(at.resolve(FOLDER).resolve("Makefile"))) {
        return at;
      }
    }
    throw new IllegalStateException("no project above " + Path.of("").toAbsolutePath());
  }

  /** A target program. */
  public static Path program(String name) {
    return made("programs", "programs/" + name);
  }

  /**
   * A KVM monitor.
   *
   * @param name {@code small-monitor} or {@code full-monitor}
   */
  public static Path monitor(String name) {
    return made("monitors", "monitors/" + name);
  }

  /** The names of all target programs, sorted. */
  public static List<String> programs() {
    List<String> names = new ArrayList<>();
    try (Stream<Path> sources = Files.list(root().resolve(FOLDER).resolve("programs"))) {
      for (Path source : sources.toList()) {
        String name = String.valueOf(source.getFileName());
        if (name.endsWith(".c")) {
          names.add(name.substring(0, name.length() - 2));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Collections.sort(names);
    return names;
  }

  /** The kernel of the Linux guest. */
  public static Path vmlinuz() {
    return made("linux", "vmlinuz");
  }

  /** The file system of the Linux guest. */
  public static Path initramfs() {
    return made("linux", "initramfs.gz");
  }

  /** An empty disk for the Linux guest: to be copied before use. */
  public static Path linuxDisk() {
    return made("linux", "linux-disk.raw");
  }

  /** The disk that the self-check guest boots from: to be copied if it is to write to it. */
  public static Path selfcheck() {
    return made("selfcheck", "selfcheck.img");
  }

  /** A disk that ends at GRUB's prompt. */
  public static Path grub() {
    return made("grub", "grub.img");
  }

  private static synchronized Path made(String goal, String name) {
    Path folder = root().resolve(FOLDER);
    Path artifact = folder.resolve("target").resolve(name);
    // The Linux guest is not made anew for the age of a script: that would fetch another kernel.
    boolean old = !goal.equals("linux") && LOOKED_AT.add(goal);
    if (old || !Files.exists(artifact)) {
      make(folder, goal);
    }
    if (!Files.exists(artifact)) {
      throw new IllegalStateException("make " + goal + " did not make " + artifact);
    }
    return artifact;
  }

  private static void make(Path folder, String goal) {
    try {
      Path said = Files.createTempFile("vmckpt-make", ".log");
      Process make =
          new ProcessBuilder("make", "-C", folder.toString(), goal)
              .redirectErrorStream(true)
              .redirectOutput(said.toFile())
              .start();
      if (make.waitFor() != 0) {
        throw new IllegalStateException(
            "make -C " + folder + " " + goal + " failed:\n" + Files.readString(said));
      }
      Files.delete(said);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while building " + goal, e);
    }
  }
}
