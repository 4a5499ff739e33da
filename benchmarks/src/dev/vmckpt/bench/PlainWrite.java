// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;

/** What dd would take: as many bytes, written in pieces of 1 MiB and made durable. */
final class PlainWrite {
  private final String method;

  PlainWrite(String beside) {
    method = "write+fsync as " + beside;
  }

  void once(Bench bench, Samples samples, long bytes) {
    Path file = bench.work().resolve("plain");
    byte[] random = new byte[1 << 20];
    new Random(1).nextBytes(random);
    ByteBuffer piece = ByteBuffer.allocateDirect(random.length).put(random);
    bench.quiet(samples);
    long begun = System.nanoTime();
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (long left = bytes; left > 0; left -= piece.limit()) {
        piece.clear().limit((int) Math.min(left, random.length));
        while (piece.hasRemaining()) {
          channel.write(piece);
        }
      }
      Bench.durable(file);
      samples.add(method, "durableMillis", (System.nanoTime() - begun) / 1e6);
      samples.add(method, "bytes", bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      file.toFile().delete();
    }
  }
}
