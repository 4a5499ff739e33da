// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.picture;

import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The last lines that a guest has written to its serial console, where that goes to a file: {@code
 * -serial file:PATH}, a {@code -chardev file}, or any with a {@code logfile}.
 */
public final class Console {
  /** Its name in a snapshot's folder. */
  public static final String FILE = "console.txt";

  private static final int MOST_LINES = 25;
  private static final int MOST_BYTES = 8 << 10;

  private final Path from;
  private final Path to;
  private final long length;

  private Console(Path from, Path to, long length) {
    this.from = from;
    this.to = to;
    this.length = length;
  }

  /**
   * Remembers how far the guest has written; it stands still.
   *
   * @param from the file it writes to
   * @param folder the snapshot's
   * @throws IOException if there is no such file
   */
  public static Console mark(Path from, Path folder) throws IOException {
    return new Console(from, folder.resolve(FILE), Files.size(from));
  }

  /**
   * Keeps the lines before the mark; nothing if there are none.
   *
   * @throws FailureException if they cannot be written
   */
  public void keep() {
    String text = tail();
    if (text.isEmpty()) {
      return;
    }
    try {
      Files.writeString(to, text);
    } catch (IOException e) {
      throw new FailureException("cannot write " + to + ": " + e.getMessage(), e);
    }
  }

  private String tail() {
    long start = Math.max(0, length - MOST_BYTES);
    byte[] bytes = new byte[(int) (length - start)];
    try (RandomAccessFile file = new RandomAccessFile(from.toFile(), "r")) {
      file.seek(start);
      file.readFully(bytes);
    } catch (IOException e) {
      // Cut off meanwhile, or not ours to read.
      return "";
    }
    List<String> lines =
        new String(bytes, StandardCharsets.UTF_8)
            .lines()
            .map(line -> line.replaceAll("\u001b\\[[0-9;?]*[A-Za-z]|[\\p{Cntrl}&&[^\t]]", ""))
            .toList();
    // What is cut off at its beginning is no line.
    List<String> whole = start == 0 || lines.isEmpty() ? lines : lines.subList(1, lines.size());
    List<String> last = whole.subList(Math.max(0, whole.size() - MOST_LINES), whole.size());
    return last.isEmpty() ? "" : String.join("\n", last) + "\n";
  }
}
