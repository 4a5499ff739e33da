// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.DeviceState.Section;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * What has to be different in a state that goes from one accelerator to another. QEMU's formats are
 * the same under both; what they mean is not, in three places:
 *
 * <ul>
 *   <li>Only KVM has a device {@code kvmclock}: TCG refuses a state with one.
 *   <li>Under TCG the guest's time-stamp counter is that of the section {@code timer}, and the one
 *       of {@code cpu} is 0; under KVM it is that of {@code cpu}. Unchanged, it would jump.
 *   <li>KVM's own timer (PIT) raises its interrupt in pulses and sends the next one when the last
 *       was seen by the guest. QEMU's holds the line high: with that remembered in the interrupt
 *       controller, the first pulse is no edge, is never seen, and no timer interrupt ever comes.
 * </ul>
 */
final class Accelerators {
  static final String KVM = "kvm";
  static final String TCG = "tcg";

  /** The layout of the section {@code cpu} that the offset below is of; that of 2009 to 2024. */
  private static final int CPU_VERSION = 12;

  /**
   * Where the section {@code cpu} has the time-stamp counter: behind 1149 bytes of registers, each
   * of a fixed size (vmstate_x86_cpu in target/i386/machine.c), interrupt_injected and mp_state.
   */
  private static final int CPU_TSC = 1157;

  private static final byte TIMER_LINE = 1;

  private Accelerators() {}

  /**
   * The state as another QEMU can load it.
   *
   * @param from the accelerator it was saved under
   * @param to the one it will go on under
   */
  static DeviceState translate(DeviceState state, String from, String to) {
    List<Section> sections = new ArrayList<>();
    for (Section section : state.sections()) {
      if (section.name().equals("kvmclock") && !to.equals(KVM)) {
        continue;
      }
      sections.add(translated(section, state, from, to));
    }
    return state.with(sections);
  }

  private static Section translated(Section section, DeviceState state, String from, String to) {
    if (to.equals(KVM) && section.name().equals("i8259") && section.instance() == 0) {
      // The first byte is last_irr: how the lines of edge-triggered interrupts were last seen.
      return section.changed(data -> data.put(0, (byte) (data.get(0) & ~TIMER_LINE)));
    }
    if (from.equals(to)) {
      return section;
    }
    if (to.equals(KVM) && isCpu(section)) {
      long ticks = ticksOf(state);
      return ticks == 0 ? section : section.changed(data -> data.putLong(CPU_TSC, ticks));
    }
    if (from.equals(KVM) && section.name().equals("timer")) {
      long ticks = tscOf(state);
      return ticks == 0 ? section : section.changed(data -> data.putLong(0, ticks));
    }
    return section;
  }

  private static boolean isCpu(Section section) {
    return section.name().equals("cpu")
        && section.version() == CPU_VERSION
        && section.data().limit() > CPU_TSC + Long.BYTES;
  }

  /** The ticks of a stopped machine under TCG: the first number of {@code timer}. */
  private static long ticksOf(DeviceState state) {
    for (Section section : state.sections()) {
      ByteBuffer data = section.data();
      if (section.name().equals("timer") && data.limit() >= Long.BYTES) {
        return data.getLong(0);
      }
    }
    return 0;
  }

  private static long tscOf(DeviceState state) {
    for (Section section : state.sections()) {
      if (isCpu(section)) {
        return section.data().getLong(CPU_TSC);
      }
    }
    return 0;
  }
}
