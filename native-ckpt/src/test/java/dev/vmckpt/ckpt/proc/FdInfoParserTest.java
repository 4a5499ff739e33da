// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.FdInfo;
import org.junit.jupiter.api.Test;

class FdInfoParserTest {
  private static FdInfo of(int number) {
    String text = ProcTexts.fdInfos().get(number);
    assertThat(text).isNotNull();
    return FdInfoParser.parse(text == null ? "" : text);
  }

  @Test
  void readsOffsetAndFlags() {
    FdInfo info = of(2);
    assertThat(info.position()).isEqualTo(281);
    assertThat(info.flags()).isEqualTo(0100001);
    assertThat(info.writeOnly()).isTrue();
    assertThat(info.lines()).containsExactly("mnt_id:\t27", "ino:\t2146384");
  }

  @Test
  void keepsEveryOtherLineAsItStands() {
    assertThat(of(11).value("eventfd-count")).isEqualTo("7");
    assertThat(of(12).value("eventfd-count")).isEqualTo("fffffffe");
    assertThat(of(13).value("settime flags")).isEqualTo("01");
    assertThat(of(13).value("it_interval")).isEqualTo("(1, 0)");
    assertThat(of(14).value("sigmask")).isEqualTo("8000000000000200");
    assertThat(of(19).value("lock")).isEqualTo("1: OFDLCK ADVISORY  WRITE -1 fe:00:2146397 10 29");
    assertThat(of(9).lines())
        .contains("tfd:       11 events: 80000019 data:     feed0000beef  pos:0 ino:406 sdev:10");
    assertThat(of(18).flags()).isEqualTo(040001);
  }

  @Test
  void refusesATextWithoutOffset() {
    assertThatThrownBy(() -> FdInfoParser.parse("flags:\t02\n"))
        .isInstanceOf(ProcFormatException.class)
        .hasMessageContaining("fdinfo");
  }
}
