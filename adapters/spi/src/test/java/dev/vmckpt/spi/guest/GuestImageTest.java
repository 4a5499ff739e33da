// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.image.RandomRecords;
import dev.vmckpt.spi.json.RecordJson;
import org.junit.jupiter.api.Test;

/** A guest comes back from JSON as it was, and says of itself what the manuals say. */
class GuestImageTest {
  @Test
  void jsonKeepsEveryGuest() {
    long seed = System.nanoTime();
    RandomRecords random = new RandomRecords(seed);
    for (int round = 0; round < 50; round++) {
      GuestImage guest = random.of(GuestImage.class);
      byte[] json = RecordJson.write(guest);
      GuestImage read = RecordJson.read(json, 0, json.length, GuestImage.class, "guest");
      assertThat(RandomRecords.same(guest, read)).as("seed " + seed).isTrue();
    }
  }

  @Test
  void pagingFollowsTheControlRegisters() {
    long pg = ControlRegisters.CR0_PG | ControlRegisters.CR0_PE;
    assertThat(control(1, ControlRegisters.CR4_PAE, 0).paging())
        .isEqualTo(ControlRegisters.Paging.NONE);
    assertThat(control(pg, ControlRegisters.CR4_PSE, 0).paging())
        .isEqualTo(ControlRegisters.Paging.THIRTY_TWO_BIT);
    assertThat(control(pg, ControlRegisters.CR4_PAE, 0).paging())
        .isEqualTo(ControlRegisters.Paging.PAE);
    assertThat(control(pg, ControlRegisters.CR4_PAE, 0xd01).paging())
        .isEqualTo(ControlRegisters.Paging.FOUR_LEVEL);
    assertThat(control(pg, 0x1020, 0xd01).paging()).isEqualTo(ControlRegisters.Paging.FIVE_LEVEL);
  }

  @Test
  void aSegmentHasTheBitsOfItsDescriptor() {
    // The 64-bit code segment of Linux: descriptor 0x00af9b000000ffff.
    Segment code = new Segment(0x10, 0, -1, 11, true, 0, true, false, true, false, true, false);
    assertThat(code.descriptorBits()).isEqualTo(0x00af9b00 & 0x00f0ff00);
    // Its 32-bit user data segment: 0x00cff3000000ffff.
    Segment data = new Segment(0x2b, 0, -1, 3, true, 3, true, false, false, true, true, false);
    assertThat(data.descriptorBits()).isEqualTo(0x00cff300 & 0x00f0ff00);
  }

  private static ControlRegisters control(long cr0, long cr4, long efer) {
    return new ControlRegisters(cr0, 0, 0, cr4, 0, efer, 1, java.util.List.of());
  }
}
