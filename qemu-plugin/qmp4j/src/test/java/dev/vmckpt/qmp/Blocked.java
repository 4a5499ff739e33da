// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A command that a real QEMU does not come back from until it is let go: it opens a named pipe to
 * write to, and nobody reads there yet.
 */
final class Blocked {
  private static final int BYTES = 16;

  private final Path pipe;
  private final Pending<JsonNode> answer;

  private Blocked(Path pipe, Pending<JsonNode> answer) {
    this.pipe = pipe;
    this.answer = answer;
  }

  static Blocked by(Qmp qmp, Path pipe) {
    Shell.pipe(pipe);
    return new Blocked(
        pipe,
        qmp.submit(
            "pmemsave",
            args -> args.put("val", 0).put("size", BYTES).put("filename", pipe.toString())));
  }

  Pending<JsonNode> answer() {
    return answer;
  }

  /** Reads what is written, which is when QEMU has been let go. */
  void letGo() {
    // Opened for both, which waits for nobody; a read of a channel can be interrupted.
    try (FileChannel channel =
        FileChannel.open(pipe, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer all = ByteBuffer.allocate(BYTES);
      while (all.hasRemaining()) {
        channel.read(all);
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
