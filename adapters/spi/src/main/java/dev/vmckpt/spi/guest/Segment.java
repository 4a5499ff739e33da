// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * A segment register with its hidden part.
 *
 * @param selector 16 bits
 * @param base the linear address it begins at
 * @param limit its last offset, in bytes, unsigned
 * @param type the four type bits of its descriptor
 * @param codeOrData the S bit: false for a system segment
 * @param dpl its privilege level, 0 to 3
 * @param present the P bit
 * @param available the AVL bit
 * @param longMode the L bit: 64-bit code
 * @param big the D/B bit: 32-bit code or stack
 * @param granular the G bit
 * @param unusable whether it was loaded with a null selector
 */
public record Segment(
    int selector,
    long base,
    int limit,
    int type,
    boolean codeOrData,
    int dpl,
    boolean present,
    boolean available,
    boolean longMode,
    boolean big,
    boolean granular,
    boolean unusable) {
  /**
   * Its attributes where the upper half of a descriptor has them: type 8–11, S 12, DPL 13–14, P 15,
   * AVL 20, L 21, D/B 22, G 23. One that is unusable is not present.
   */
  public int descriptorBits() {
    return (type & 15) << 8
        | bit(codeOrData, 12)
        | (dpl & 3) << 13
        | bit(present && !unusable, 15)
        | bit(available, 20)
        | bit(longMode, 21)
        | bit(big, 22)
        | bit(granular, 23);
  }

  private static int bit(boolean set, int place) {
    return set ? 1 << place : 0;
  }
}
