// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HumansTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "1, 1 B",
    "999, 999 B",
    "1000, 0.98 KiB",
    "1024, 1 KiB",
    "1536, 1.5 KiB",
    "10240, 10 KiB",
    "10547, 10.3 KiB",
    "536870912, 512 MiB",
    "1073741824, 1 GiB",
    "1610612736, 1.5 GiB",
    "1072693248, 1 GiB",
    "9223372036854775807, 8 EiB"
  })
  void bytes(long bytes, String text) {
    assertThat(Humans.bytes(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 us",
    "999, 999 us",
    "1000, 1 ms",
    "9123, 9.1 ms",
    "99960, 100 ms",
    "343000, 343 ms",
    "999499, 999 ms",
    "999500, 1 s",
    "1250000, 1.25 s",
    "59940000, 59.9 s",
    "200000000, 3 min 20 s"
  })
  void micros(long micros, String text) {
    assertThat(Humans.micros(micros)).isEqualTo(text);
  }
}
