// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AreasTest {
  private static ProcArea named(List<ProcArea> areas, String path) {
    for (ProcArea area : areas) {
      if (area.path().equals(path)) {
        return area;
      }
    }
    throw new AssertionError("no area " + path);
  }

  @Test
  void readsAQemu() {
    List<ProcArea> areas = SmapsParser.parse(ProcTexts.of("qemu.smaps"));
    assertThat(areas).hasSize(358);
    assertThat(areas.get(0).path()).isEqualTo("/usr/bin/qemu-system-x86_64");
    assertThat(areas).allSatisfy(area -> assertThat(area.vmFlags()).isNotEmpty());
    assertThat(areas).anySatisfy(area -> assertThat(area.has("dc")).isTrue());
    assertThat(areas).isSortedAccordingTo((a, b) -> Long.compareUnsigned(a.start(), b.start()));
  }

  @Test
  void mapsAndSmapsAgree() {
    for (String program : List.of("qemu", "zoo")) {
      List<ProcArea> fromMaps = MapsParser.parse(ProcTexts.of(program + ".maps"));
      List<ProcArea> fromSmaps = new ArrayList<>();
      for (ProcArea area : SmapsParser.parse(ProcTexts.of(program + ".smaps"))) {
        fromSmaps.add(
            new ProcArea(
                area.start(),
                area.end(),
                area.protection(),
                area.shared(),
                area.offset(),
                area.major(),
                area.minor(),
                area.inode(),
                area.path(),
                area.deleted(),
                List.of()));
      }
      assertThat(fromSmaps).isEqualTo(fromMaps);
    }
  }

  @Test
  void readsEveryKindOfName() {
    List<ProcArea> areas = SmapsParser.parse(ProcTexts.of("zoo.smaps"));
    ProcArea gone = named(areas, "/tmp/zoo/gone");
    assertThat(gone.deleted()).isTrue();
    assertThat(gone.shared()).isTrue();
    assertThat(gone.offset()).isEqualTo(4096);
    assertThat(gone.protection()).isEqualTo(5);
    assertThat(gone.major()).isEqualTo(0xfe);
    assertThat(gone.inode()).isEqualTo(2146393);
    assertThat(gone.length()).isEqualTo(8192);
    assertThat(named(areas, "/tmp/zoo/new\nline").protection()).isEqualTo(3);
    assertThat(named(areas, "/tmp/zoo/  lead").deleted()).isFalse();
    assertThat(named(areas, "/tmp/zoo/with space").shared()).isFalse();
    assertThat(named(areas, "/memfd:guest ram").deleted()).isTrue();
    assertThat(named(areas, "/dev/zero").inode()).isEqualTo(1032);
    assertThat(named(areas, "[vsyscall]").start()).isEqualTo(0xffffffffff600000L);
    assertThat(named(areas, "[stack]").has("gd")).isTrue();
    assertThat(areas).anySatisfy(area -> assertThat(area.vmFlags()).contains("lo", "dc", "wf"));
  }

  @Test
  void refusesAnEmptyArea() {
    assertThatThrownBy(() -> MapsParser.parse("1000-1000 r--p 00000000 00:00 0 \n"))
        .isInstanceOf(ProcFormatException.class);
  }

  @Test
  void readsNothingFromNothing() {
    assertThat(SmapsParser.parse("")).isEmpty();
    assertThat(MapsParser.parse("")).isEmpty();
  }
}
