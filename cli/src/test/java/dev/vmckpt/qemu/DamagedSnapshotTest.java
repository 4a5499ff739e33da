// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Target;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Each file of a snapshot, damaged in its header and in its body, cut short, taken away, and
 * replaced by the same file of another snapshot: a restore says so, with exit code 5, and leaves
 * nothing running.
 */
class DamagedSnapshotTest {
  @TempDir Path folder = Path.of("/nonexistent");
  private final List<Integer> started = new ArrayList<>();
  private Vmckpt vmckpt = new Vmckpt(Path.of("/nonexistent"));
  private Path snapshot = Path.of("/nonexistent");
  private Path other = Path.of("/nonexistent");

  @BeforeEach
  void save() throws Exception {
    vmckpt = new Vmckpt(folder);
    try (Target target = Target.start(folder, "memory")) {
      started.add(target.pid());
      other = place(vmckpt.ok("snapshot", "" + target.pid(), "--name", "other", "--json"));
      target.awaitPasses(3);
      snapshot = place(vmckpt.ok("snapshot", "" + target.pid(), "--name", "good", "--json"));
    }
  }

  @AfterEach
  void end() {
    for (int pid : started) {
      if (vmckpt.leftovers().contains(pid)) {
        Detached.kill(pid);
      }
    }
  }

  private static Path place(Run run) {
    return Path.of(run.text("folder"));
  }

  /** Something that is done to a file. */
  private interface Damage {
    void to(Path file) throws Exception;
  }

  @Test
  void everyFileInEveryWay() throws Exception {
    List<Path> files = files(snapshot);
    assertThat(files.toString()).contains("manifest.json", ".extents", "memory/", "disks/");
    for (Path file : files) {
      Path kept = keep(file);
      Map<String, Damage> damages = new LinkedHashMap<>();
      damages.put("a byte of its beginning", at -> flip(at, 2));
      damages.put("a byte in the middle", at -> flip(at, data(at, Files.size(at) / 2)));
      damages.put("the last byte cut off", at -> resize(at, Files.size(at) - 1));
      damages.put("cut to half", at -> resize(at, Files.size(at) / 2));
      damages.put("emptied", at -> resize(at, 0));
      damages.put("longer", at -> resize(at, Files.size(at) + 1));
      damages.put("taken away", Files::delete);
      Path foreign = other.resolve(snapshot.relativize(file));
      if (Files.mismatch(file, foreign) >= 0) {
        damages.put("that of another snapshot", at -> copy(foreign, at));
      }
      for (Map.Entry<String, Damage> damage : damages.entrySet()) {
        damage.getValue().to(file);
        refused(file + ": " + damage.getKey());
        copy(kept, file);
      }
    }
    itIsGoodAgain();
  }

  @Test
  void damageThatKeepsTheTimeOfWritingIsFoundByVerify() throws Exception {
    for (Path file : files(snapshot)) {
      Path kept = keep(file);
      FileTime written = Files.getLastModifiedTime(file);
      flip(file, data(file, Files.size(file) / 2));
      Files.setLastModifiedTime(file, written);
      Run run = vmckpt.fails(5, "verify", "good");
      assertThat(run.err()).contains(file.toString());
      copy(kept, file);
      // The manifest, and the beginnings of files of pages, are looked at by every restore.
      if (!file.toString().contains("disks/")) {
        flip(file, 2);
        Files.setLastModifiedTime(file, written);
        refused(file + ": the beginning, with its old time");
        copy(kept, file);
      }
    }
    itIsGoodAgain();
  }

  @Test
  void whatIsNoSnapshotAtAll() throws Exception {
    Path manifest = snapshot.resolve("manifest.json");
    String good = Files.readString(manifest);
    for (String foreign : List.of("", "{}", "[1, 2]", "words\n", "\0\0\0\0", "{\"format\": 1}")) {
      put(manifest, foreign.getBytes(StandardCharsets.UTF_8));
      Run run = vmckpt.fails(5, "restore", snapshot.getFileName().toString());
      assertThat(run.err()).contains("manifest.json");
      assertThat(vmckpt.ok("list", "--json").out()).contains("other");
    }
    put(manifest, good.getBytes(StandardCharsets.UTF_8));
    assertThat(vmckpt.fails(5, "restore", "no-such").err()).contains("no-such");
    nothingRuns("foreign manifests");
    itIsGoodAgain();
  }

  @Test
  @Tag("long")
  void bytesAtRandom() throws Exception {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime() & 0xffffff);
    System.out.println("DamagedSnapshotTest: -Dvmckpt.seed=" + seed);
    Random random = new Random(seed);
    for (Path file : files(snapshot)) {
      Path kept = keep(file);
      for (int i = 0; i < 25; i++) {
        // A hole of a file of pages holds nothing, so nothing there can be wrong.
        long at = data(file, random.nextLong(Files.size(file)));
        flip(file, at);
        refused(file + ": byte " + at);
        copy(kept, file);
      }
    }
    itIsGoodAgain();
  }

  /** A copy that the file can be made good again from, with its time of writing. */
  private Path keep(Path file) throws Exception {
    Path kept = folder.resolve("kept");
    copy(file, kept);
    return kept;
  }

  /** Files of pages are sparse, and long. */
  private static void copy(Path from, Path to) throws Exception {
    assertThat(
            new ProcessBuilder("cp", "-p", "--sparse=always", from.toString(), to.toString())
                .inheritIO()
                .start()
                .waitFor())
        .isZero();
  }

  /** The first place from {@code start} on, or else from the beginning, that is not zero. */
  private static long data(Path file, long start) throws IOException {
    try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
      byte[] chunk = new byte[1 << 20];
      in.seek(start);
      for (int got = in.read(chunk); got > 0; got = in.read(chunk)) {
        for (int i = 0; i < got; i++) {
          if (chunk[i] != 0) {
            return in.getFilePointer() - got + i;
          }
        }
      }
    }
    return start == 0 ? 0 : data(file, 0);
  }

  private static void flip(Path file, long at) throws IOException {
    try (RandomAccessFile both = new RandomAccessFile(file.toFile(), "rw")) {
      both.seek(at);
      int old = both.read();
      both.seek(at);
      both.write(old ^ 0x10);
    }
  }

  private static void resize(Path file, long length) throws IOException {
    try (RandomAccessFile both = new RandomAccessFile(file.toFile(), "rw")) {
      both.setLength(length);
    }
  }

  private static void put(Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
  }

  private static List<Path> files(Path snapshot) throws IOException {
    try (Stream<Path> all = Files.walk(snapshot)) {
      return all.filter(Files::isRegularFile).sorted().toList();
    }
  }

  private void refused(String what) throws Exception {
    Run run = vmckpt.run("restore", snapshot.getFileName().toString());
    assertThat(run.code()).as("%s: %s%s", what, run.out(), run.err()).isEqualTo(5);
    assertThat(run.err()).as(what).contains("vmckpt: ");
    nothingRuns(what);
  }

  private void nothingRuns(String what) {
    Health.await(what, () -> vmckpt.leftovers().isEmpty());
    String[] work = vmckpt.store().resolve("work").toFile().list();
    assertThat(work == null ? new String[0] : work).as(what).isEmpty();
  }

  private void itIsGoodAgain() throws Exception {
    vmckpt.ok("verify", "good");
    int pid = vmckpt.ok("restore", "good", "--json").number("pid");
    started.add(pid);
    try {
      Beats.program(folder.resolve("memory.log")).awaitMore(pid, 3);
    } finally {
      Detached.kill(pid);
    }
  }
}
