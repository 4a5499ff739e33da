// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManifestFileTest {
  private static final Manifest MANIFEST = new RandomRecords(42).of(Manifest.class);
  private static final byte[] GOOD = ManifestFile.encode(MANIFEST);

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void whatIsWrittenIsRead() throws IOException {
    Files.write(folder.resolve(Manifest.FILE), GOOD);
    assertThat(RandomRecords.same(ManifestFile.read(folder), MANIFEST)).isTrue();
  }

  @Test
  void theHeaderIsWhatIsDocumented() {
    String text = new String(GOOD, StandardCharsets.UTF_8);
    assertThat(text)
        .startsWith("{\"magic\":\"vmckpt\",\"format\":1,\"crc32c\":\"")
        .matches(
            "(?s)\\{\"magic\":\"vmckpt\",\"format\":1,\"crc32c\":\"[0-9a-f]{8}\",\"body\":\\{.*\\}\\}\n");
  }

  @Test
  void everyTruncationIsCorrupt() {
    for (int length = 0; length < GOOD.length; length += length < 100 ? 1 : 37) {
      byte[] cut = Arrays.copyOf(GOOD, length);
      SnapshotException e =
          catchThrowableOfType(SnapshotException.class, () -> ManifestFile.decode(cut, "it"));
      assertThat(e).as("length %d", length).isNotNull();
      assertThat(e.fault()).as("length %d", length).isEqualTo(Fault.CORRUPT);
    }
  }

  @Test
  void everyChangedByteIsFoundOut() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int at = 0; at < GOOD.length; at += at < 200 ? 1 : 1 + random.nextInt(20)) {
      byte[] bad = GOOD.clone();
      bad[at] ^= (byte) (1 + random.nextInt(255));
      int where = at;
      assertThatExceptionOfType(SnapshotException.class)
          .as("seed %d offset %d", seed, where)
          .isThrownBy(() -> ManifestFile.decode(bad, "it"));
    }
  }

  @Test
  void newerAndOlderFormatsAreToldApartWithoutReadingTheBody() {
    assertThat(fault("{\"magic\":\"vmckpt\",\"format\":2,")).isEqualTo(Fault.TOO_NEW);
    assertThat(fault("{\"magic\":\"vmckpt\",\"format\":999999999,")).isEqualTo(Fault.TOO_NEW);
    assertThat(fault("{\"magic\":\"vmckpt\",\"format\":0,")).isEqualTo(Fault.TOO_OLD);
    assertThat(fault("{\"magic\":\"vmckpt\",\"format\":x")).isEqualTo(Fault.CORRUPT);
    assertThat(fault("{\"something\":\"else, and long enough\"}")).isEqualTo(Fault.FOREIGN);
  }

  @Test
  void aMissingManifest() {
    SnapshotException e =
        catchThrowableOfType(SnapshotException.class, () -> ManifestFile.read(folder));
    assertThat(e).isNotNull();
    assertThat(e.fault()).isEqualTo(Fault.MISSING);
  }

  private static Fault fault(String text) {
    SnapshotException e =
        catchThrowableOfType(
            SnapshotException.class,
            () -> ManifestFile.decode(text.getBytes(StandardCharsets.UTF_8), "it"));
    assertThat(e).isNotNull();
    return e.fault();
  }
}
