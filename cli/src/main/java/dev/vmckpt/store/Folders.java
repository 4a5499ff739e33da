// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a store does with folders and files as such. */
final class Folders {
  static final Set<PosixFilePermission> FOLDER = PosixFilePermissions.fromString("rwx------");
  static final Set<PosixFilePermission> FILE = PosixFilePermissions.fromString("rw-------");
  static final FileAttribute<Set<PosixFilePermission>> AS_FOLDER =
      PosixFilePermissions.asFileAttribute(FOLDER);
  static final FileAttribute<Set<PosixFilePermission>> AS_FILE =
      PosixFilePermissions.asFileAttribute(FILE);

  private Folders() {}

  /** The names in a folder, in order; empty if it is not there. */
  static List<String> names(Path folder) throws IOException {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
      for (Path path : stream) {
        names.add(String.valueOf(path.getFileName()));
      }
    } catch (NoSuchFileException e) {
      return names;
    } catch (java.nio.file.DirectoryIteratorException e) {
      throw e.getCause();
    }
    Collections.sort(names);
    return names;
  }

  /** Every file below a folder that is not a folder itself, links included and not followed. */
  static List<Path> filesBelow(Path folder) throws IOException {
    List<Path> files = new ArrayList<>();
    walk(folder, files, null);
    Collections.sort(files);
    return files;
  }

  /** The folder and every folder below it, each behind those in it. */
  static List<Path> foldersBelow(Path folder) throws IOException {
    List<Path> folders = new ArrayList<>();
    walk(folder, null, folders);
    return folders;
  }

  private static void walk(Path folder, @Nullable List<Path> files, @Nullable List<Path> folders)
      throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            if (files != null) {
              files.add(file);
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
            if (e instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw e;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException e)
              throws IOException {
            if (e != null) {
              throw e;
            }
            if (folders != null) {
              folders.add(dir);
            }
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /** Removes a folder with everything in it; somebody else may be removing it at the same time. */
  static void deleteTree(Path folder) throws IOException {
    if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    for (Path file : filesBelow(folder)) {
      Files.deleteIfExists(file);
    }
    for (Path each : foldersBelow(folder)) {
      Files.deleteIfExists(each);
    }
  }

  /** fsync(2) of a file or a folder. */
  static void sync(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
