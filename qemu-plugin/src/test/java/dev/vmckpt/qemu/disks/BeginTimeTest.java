// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.DiskKeeper.Kept;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How long a guest stands still for its disk: printed, for people; no time is asserted. */
@Timeout(300)
class BeginTimeTest {
  private static final int MIB = 1 << 20;
  private static final int TIMES = 10;

  @TempDir Path folder = Path.of("/nonexistent");

  @ParameterizedTest
  @CsvSource({"raw,64", "raw,8192", "qcow2,64", "qcow2,8192"})
  void ofDisks(String format, long mebibytes) throws IOException {
    Path disk = folder.resolve("disk");
    RealQemu.run("qemu-img", "create", "-q", "-f", format, "" + disk, mebibytes + "M");
    // Data at the beginning and the end, holes between.
    String last = "write -P 6 " + (mebibytes - 8) + "M 8M";
    RealQemu.run("qemu-io", "-f", format, "-c", "write -P 5 0 8M", "-c", last, "" + disk);
    long length = Files.size(disk);
    Ranges ranges = new Ranges(length, length > 100L * MIB ? pieces(length) : all(length));
    double[] millis = new double[TIMES];
    try (RealQemu qemu =
        RealQemu.start(
            folder,
            "-drive",
            "if=none,id=a,auto-read-only=off,format=" + format + ",file=" + disk)) {
      for (int i = 0; i < TIMES; i++) {
        try (Backups backups = new Backups(qemu.qmp(), qemu.pid(), ranges)) {
          Path to = folder.resolve("kept-" + i);
          Kept kept = backups.keep(RealQemu.stat(disk), to);
          // What a guest writes in the meantime: one mebibyte.
          assertThat(qemu.io("a", "write -P " + i + " 3M 1M")).isEmpty();
          long start = System.nanoTime();
          backups.begin();
          millis[i] = (System.nanoTime() - start) / 1e6;
          kept.await();
          assertThat(sameEnds(to, disk)).isTrue();
          Files.delete(to);
        }
      }
    }
    Arrays.sort(millis);
    System.out.printf(
        "begin, %s, %d MiB: median %.1f ms, at most %.1f ms%n",
        format, mebibytes, millis[TIMES / 2], millis[TIMES - 1]);
  }

  private static long[] all(long length) {
    long[] starts = new long[(int) ((length + MIB - 1) / MIB)];
    Arrays.setAll(starts, i -> (long) i * MIB);
    return starts;
  }

  private static long[] pieces(long length) {
    long[] starts = new long[17];
    Arrays.setAll(starts, i -> i < 8 ? (long) i * MIB : length - (long) (17 - i) * MIB);
    return starts;
  }

  private static boolean sameEnds(Path one, Path two) throws IOException {
    byte[] first = new byte[4 * MIB];
    byte[] second = new byte[4 * MIB];
    try (RandomAccessFile a = new RandomAccessFile(one.toFile(), "r");
        RandomAccessFile b = new RandomAccessFile(two.toFile(), "r")) {
      for (long at : new long[] {0, a.length() - 4 * MIB}) {
        a.seek(at);
        b.seek(at);
        a.readFully(first);
        b.readFully(second);
        if (a.length() != b.length() || !Arrays.equals(first, second)) {
          return false;
        }
      }
      return true;
    }
  }
}
