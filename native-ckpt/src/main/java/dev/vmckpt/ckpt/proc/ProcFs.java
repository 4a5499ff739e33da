// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.TargetGoneException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/** Reads files of /proc, whose length nobody knows beforehand. */
public final class ProcFs {
  private static final int CHUNK = 16384;

  private ProcFs() {}

  /**
   * The whole of a file, as UTF-8.
   *
   * @throws TargetGoneException if its process is gone
   * @throws NotPermittedException if it may not be read
   */
  public static String read(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      byte[] bytes = new byte[CHUNK];
      int length = 0;
      while (true) {
        if (length == bytes.length) {
          bytes = Arrays.copyOf(bytes, 2 * bytes.length);
        }
        int read = channel.read(ByteBuffer.wrap(bytes, length, bytes.length - length));
        if (read <= 0) {
          return new String(bytes, 0, length, StandardCharsets.UTF_8);
        }
        length += read;
      }
    } catch (NoSuchFileException e) {
      throw new TargetGoneException(file + " is not there: no such process, or it ended", e);
    } catch (AccessDeniedException e) {
      throw new NotPermittedException(
          file + " may not be read: run as the owner of the process or with CAP_SYS_PTRACE", e);
    } catch (IOException e) {
      if (gone(file, e)) {
        throw new TargetGoneException(file + " cannot be read any more: the process ended", e);
      }
      throw new FailureException(file + " cannot be read", e);
    }
  }

  /** {@code /proc/PID/name}. */
  public static Path of(int pid, String name) {
    return Path.of("/proc/" + pid + "/" + name);
  }

  /**
   * ESRCH has no exception of its own in Java: its text, or that the process's folder is gone, must
   * do.
   */
  private static boolean gone(Path file, IOException e) {
    String message = e.getMessage();
    if (message != null && message.contains("No such process")) {
      return true;
    }
    return file.startsWith("/proc")
        && file.getNameCount() > 2
        && !Files.exists(Path.of("/").resolve(file.subpath(0, 2)));
  }
}
