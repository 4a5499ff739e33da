// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.VmckptException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import org.jspecify.annotations.Nullable;

/** Turns what Java says of a failed file operation into a sentence and an exit code. */
public final class StoreErrors {
  private StoreErrors() {}

  /**
   * The failure to be thrown for an {@link IOException}.
   *
   * @param doing what was being done, the beginning of the sentence: {@code cannot write /x}
   */
  public static VmckptException of(String doing, IOException e) {
    String reason = reason(e);
    if (e instanceof AccessDeniedException || "Operation not permitted".equals(reason)) {
      return new NotPermittedException(
          doing
              + ": permission denied"
              + where(e)
              + "; use a store that is yours (--store DIR), or run as its owner",
          e);
    }
    if (reason.contains("No space left on device")) {
      return new FailureException(
          doing + ": the disk is full" + where(e) + "; make room, or use another one (--store DIR)",
          e);
    }
    if (reason.contains("Disk quota exceeded")) {
      return new FailureException(
          doing + ": your disk quota is used up" + where(e) + "; make room, or use --store DIR", e);
    }
    if (reason.contains("Read-only file system")) {
      return new FailureException(
          doing + ": the file system is read-only" + where(e) + "; use another one (--store DIR)",
          e);
    }
    if (e instanceof NoSuchFileException) {
      return new FailureException(doing + ": there is no such file or folder" + where(e), e);
    }
    if (e instanceof NotDirectoryException || reason.contains("Not a directory")) {
      return new FailureException(doing + ": it is not a folder" + where(e), e);
    }
    if (e instanceof FileAlreadyExistsException) {
      return new FailureException(doing + ": something else is already there" + where(e), e);
    }
    return new FailureException(doing + ": " + reason + where(e), e);
  }

  private static String where(IOException e) {
    return e instanceof FileSystemException on && on.getFile() != null
        ? " (" + on.getFile() + ")"
        : "";
  }

  private static String reason(IOException e) {
    @Nullable String reason = e instanceof FileSystemException on ? on.getReason() : e.getMessage();
    return reason == null ? e.getClass().getSimpleName() : reason;
  }
}
