// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import java.util.List;

/** A device of the platform whose state the hypervisor holds. */
public sealed interface GuestDevice {

  /**
   * One of the two 8259 interrupt controllers.
   *
   * @param slave whether it is the second
   * @param lines the level each line had last, a bit each
   * @param requested the interrupt request register
   * @param masked the interrupt mask register
   * @param inService the in-service register
   * @param priorityAdd the line with the highest priority
   * @param vectorBase the vector of line 0
   * @param readInService whether reading gives the in-service register
   * @param poll whether the poll command was given
   * @param specialMask the special mask mode
   * @param initState how many initialization words it has had
   * @param autoEoi automatic end of interrupt
   * @param rotateOnAutoEoi with rotation
   * @param specialFullyNested the special fully nested mode
   * @param fourWordInit whether a fourth initialization word follows
   * @param levelTriggered the edge/level register
   * @param levelMask its bits that can be set
   */
  record Pic(
      boolean slave,
      int lines,
      int requested,
      int masked,
      int inService,
      int priorityAdd,
      int vectorBase,
      boolean readInService,
      boolean poll,
      boolean specialMask,
      int initState,
      boolean autoEoi,
      boolean rotateOnAutoEoi,
      boolean specialFullyNested,
      boolean fourWordInit,
      int levelTriggered,
      int levelMask)
      implements GuestDevice {}

  /**
   * The I/O APIC.
   *
   * @param gpa where its registers lie
   * @param selected the register that is selected
   * @param id its APIC id
   * @param lines the requests of its 24 lines, a bit each
   * @param redirections the redirection entry of each line, 64 bits
   */
  record IoApic(long gpa, int selected, int id, int lines, List<Long> redirections)
      implements GuestDevice {}

  /**
   * The 8254 interval timer.
   *
   * @param channels its three channels
   * @param hpetLegacy whether an HPET has its place
   * @param speaker the data bit of the speaker port
   */
  record Pit(List<Channel> channels, boolean hpetLegacy, boolean speaker) implements GuestDevice {
    /**
     * One channel.
     *
     * @param count what it counts from, 1 to 65536
     * @param latchedCount what the latch command kept
     * @param countLatched how many bytes of it are to be read, and how
     * @param statusLatched whether the status was latched
     * @param status that status
     * @param readState which byte is read next
     * @param writeState which byte is written next
     * @param writeLatch the byte that was written
     * @param access 1 low byte, 2 high byte, 3 both
     * @param mode 0 to 5
     * @param bcd whether it counts in decimal
     * @param gate its gate
     * @param loadedNanos when the count was loaded, by the host's CLOCK_MONOTONIC
     */
    public record Channel(
        int count,
        int latchedCount,
        int countLatched,
        int statusLatched,
        int status,
        int readState,
        int writeState,
        int writeLatch,
        int access,
        int mode,
        boolean bcd,
        boolean gate,
        long loadedNanos) {}
  }
}
