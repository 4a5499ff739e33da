// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.error.VmckptException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A file that is there as a whole or not at all: written under a temporary name beside its own,
 * mode 0600, made durable and renamed. Closing it without {@link #commit} leaves nothing; nor does
 * the end of our process by a signal that can be caught.
 */
public final class NewFile implements AutoCloseable {
  private final Path path;
  private final boolean overwrite;
  private final Path temporary;
  private final FileChannel channel;
  private final Thread cleaner;

  private NewFile(Path path, boolean overwrite, Path temporary, FileChannel channel) {
    this.path = path;
    this.overwrite = overwrite;
    this.temporary = temporary;
    this.channel = channel;
    cleaner = new Thread(this::delete, "remove-unfinished");
    Runtime.getRuntime().addShutdownHook(cleaner);
  }

  /**
   * Begins one.
   *
   * @param overwrite whether a plain file of that name may be replaced
   * @throws UsageException if something of that name is there
   */
  public static NewFile create(Path wanted, boolean overwrite) {
    Path path = wanted.toAbsolutePath();
    checkFree(path, overwrite);
    Path folder = path.getParent();
    if (folder == null) {
      throw new UsageException(path + " is a folder; give the name of a file");
    }
    try {
      Path temporary =
          Files.createTempFile(
              folder,
              "." + path.getFileName() + ".",
              ".tmp",
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      try {
        return new NewFile(
            path, overwrite, temporary, FileChannel.open(temporary, StandardOpenOption.WRITE));
      } catch (IOException e) {
        Files.deleteIfExists(temporary);
        throw e;
      }
    } catch (IOException e) {
      throw failure(path, e);
    }
  }

  private static void checkFree(Path path, boolean overwrite) {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
      throw new UsageException(path + " is there and no plain file; give another name");
    }
    if (!overwrite) {
      throw new UsageException(path + " is there already; --force replaces it");
    }
  }

  /** What is written into it. */
  public FileChannel channel() {
    return channel;
  }

  /** Makes it durable and gives it its name. */
  public void commit() throws IOException {
    channel.force(true);
    channel.close();
    checkFree(path, overwrite);
    Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
    Path folder = path.getParent();
    if (folder != null) {
      try (FileChannel entry = FileChannel.open(folder, StandardOpenOption.READ)) {
        entry.force(true);
      }
    }
  }

  /** The failure to be thrown for what went wrong on the way. */
  public static VmckptException failure(Path path, IOException e) {
    String message = e instanceof FileSystemException on ? on.getReason() : e.getMessage();
    String reason = message == null ? e.getClass().getSimpleName() : message;
    String doing = "cannot write " + path + ": ";
    if (e instanceof AccessDeniedException) {
      return new NotPermittedException(
          doing + "permission denied; write it to a folder that is yours", e);
    }
    if (e instanceof NoSuchFileException) {
      return new FailureException(doing + "there is no such folder", e);
    }
    if (reason.contains("No space left on device")) {
      return new FailureException(
          doing + "the disk is full; make room, or write it to another one", e);
    }
    return new FailureException(doing + reason, e);
  }

  private void delete() {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      // Its name says that it is unfinished; whoever meets it can remove it.
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      // What was not committed is removed: nothing of it can be lost.
    }
    delete();
    try {
      Runtime.getRuntime().removeShutdownHook(cleaner);
    } catch (IllegalStateException ending) {
      // We are being ended: the hook runs already.
      return;
    }
  }
}
