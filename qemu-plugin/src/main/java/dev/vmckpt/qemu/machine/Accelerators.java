// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.DeviceState.Section;
import dev.vmckpt.spi.error.Refusal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What has to be different in a state that goes from one accelerator to another. QEMU's formats are
 * the same under both; what they mean is not, in seven places:
 *
 * <ul>
 *   <li>Only KVM has a device {@code kvmclock}: TCG refuses a state with one.
 *   <li>Under TCG the guest's time-stamp counter is that of the section {@code timer}, and the one
 *       of {@code cpu} is 0; under KVM it is that of {@code cpu}. Unchanged, it would jump.
 *   <li>TCG keeps the x87 registers in the order of their numbers, KVM in that of the stack.
 *   <li>TCG says that no extended state is in use: KVM would begin with all of it empty, SSE too.
 *   <li>A processor that sleeps or was never started is so by {@code halted} and by its interrupt
 *       controller under TCG, by {@code mp_state} under KVM: it would begin to run.
 *   <li>Whether an interrupt waits for a processor is in its {@code interrupt_request} under TCG;
 *       under KVM nobody keeps that up to date. TCG is made to look at the controllers again.
 *   <li>KVM's own timer (PIT) raises its interrupt in pulses and sends the next one when the last
 *       was seen by the guest. QEMU's holds the line high: with that remembered in the interrupt
 *       controller, the first pulse is no edge, is never seen, and no timer interrupt ever comes.
 * </ul>
 *
 * <p>All of it was found by moving the self-check guest, and none of it is refused or repaired by
 * QEMU 7.2, which moves guests between like accelerators only.
 */
final class Accelerators {
  static final String KVM = "kvm";
  static final String TCG = "tcg";

  /**
   * The layout of the section {@code cpu} that the offsets below are of (vmstate_x86_cpu in
   * target/i386/machine.c). Since 2009 it has only grown by subsections, which lie behind.
   *
   * <pre>
   *    148  u16 fpuc   150  u16 fpus   152  u16 fptag   154  u16 format
   *    156  8 × { u64 mantissa, u16 exponent }
   *   1149  i32 interrupt_injected   1153  u32 mp_state   1157  u64 tsc
   *   1545  u64 xcr0   1553  u64 xstate_bv   1561  the upper halves of AVX
   * </pre>
   */
  private static final int CPU_VERSION = 12;

  private static final int FPUS = 150;
  private static final int X87 = 156;
  private static final int X87_BYTES = 10;
  private static final int MP_STATE = 1153;
  private static final int CPU_TSC = 1157;
  private static final int XCR0 = 1545;
  private static final int XSTATE_BV = 1553;
  private static final int CPU_BYTES = 1817;

  /** In the section {@code cpu_common}, behind {@code halted}. */
  private static final int INTERRUPT_REQUEST = 4;

  /**
   * CPU_INTERRUPT_HARD, which TCG takes back if none of the controllers has an interrupt, and
   * CPU_INTERRUPT_POLL, which makes it ask them.
   */
  private static final int LOOK_AGAIN = 0x02 | 0x10;

  /** KVM_MP_STATE_* of linux/kvm.h. */
  private static final int RUNNABLE = 0;

  private static final int UNINITIALIZED = 1;
  private static final int INIT_RECEIVED = 2;
  private static final int HALTED = 3;

  /** x87 and SSE, which need no bit in XCR0. */
  private static final long LEGACY = 3;

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

  /**
   * What keeps a state from being translated.
   *
   * @return empty if nothing does
   */
  static List<Refusal> obstacles(DeviceState state, String from, String to) {
    for (Section section : state.sections()) {
      if (!from.equals(to) && section.name().equals("cpu") && !isCpu(section)) {
        return List.of(
            new Refusal(
                "processor " + section.instance(),
                "its state is of version " + section.version() + ", which is not known here",
                "start the new QEMU with the accelerator " + from));
      }
    }
    return List.of();
  }

  private static Section translated(Section section, DeviceState state, String from, String to) {
    if (to.equals(KVM) && section.name().equals("i8259") && section.instance() == 0) {
      // The first byte is last_irr: how the lines of edge-triggered interrupts were last seen.
      return section.changed(data -> data.put(0, (byte) (data.get(0) & ~TIMER_LINE)));
    }
    if (from.equals(to)) {
      return section;
    }
    if (isCpu(section)) {
      return section.changed(data -> translateCpu(data, section, state, to));
    }
    if (from.equals(KVM) && section.name().equals("timer") && holds(section, Long.BYTES)) {
      long ticks = tscOf(state);
      return ticks == 0 ? section : section.changed(data -> data.putLong(0, ticks));
    }
    if (from.equals(KVM) && section.name().equals("cpu_common") && holds(section, Long.BYTES)) {
      Section cpu = counterpart(section, state, "cpu");
      boolean waits = cpu != null && isCpu(cpu) && isWaiting(cpu.data().getInt(MP_STATE));
      return section.changed(
          data -> data.putInt(0, waits ? 1 : data.getInt(0)).putInt(INTERRUPT_REQUEST, LOOK_AGAIN));
    }
    return section;
  }

  private static boolean holds(Section section, int bytes) {
    return section.data().limit() >= bytes;
  }

  private static boolean isWaiting(int mpState) {
    return mpState == UNINITIALIZED || mpState == INIT_RECEIVED;
  }

  private static void translateCpu(ByteBuffer data, Section cpu, DeviceState state, String to) {
    rotateX87(data, to.equals(KVM));
    if (to.equals(KVM)) {
      data.putLong(XSTATE_BV, data.getLong(XCR0) | LEGACY);
      long ticks = ticksOf(state);
      data.putLong(CPU_TSC, ticks == 0 ? data.getLong(CPU_TSC) : ticks);
      data.putInt(MP_STATE, mpState(cpu, state));
    }
  }

  /** TCG's interrupt controller has a part "apic_sipi" as long as its processor waits for one. */
  private static int mpState(Section cpu, DeviceState state) {
    Section common = counterpart(cpu, state, "cpu_common");
    if (common == null || !holds(common, Integer.BYTES) || common.data().getInt(0) == 0) {
      return RUNNABLE;
    }
    Section apic = counterpart(cpu, state, "apic");
    boolean waits =
        apic != null && new String(apic.bytes(), StandardCharsets.ISO_8859_1).contains("apic_sipi");
    return waits ? INIT_RECEIVED : HALTED;
  }

  /** The section of another name that belongs to the same processor: the one in the same place. */
  private static @Nullable Section counterpart(Section section, DeviceState state, String name) {
    List<Section> ours = state.named(section.name());
    List<Section> others = state.named(name);
    int index = ours.indexOf(section);
    return index >= 0 && index < others.size() ? others.get(index) : null;
  }

  /** Register number n is the top of the stack plus n, modulo 8. */
  private static void rotateX87(ByteBuffer data, boolean toStack) {
    byte[] old = new byte[8 * X87_BYTES];
    data.get(X87, old);
    int top = data.getShort(FPUS) >>> 11 & 7;
    for (int i = 0; i < 8; i++) {
      int numbered = (top + i & 7) * X87_BYTES;
      int stacked = i * X87_BYTES;
      int from = toStack ? numbered : stacked;
      data.put(X87 + (toStack ? stacked : numbered), old, from, X87_BYTES);
    }
  }

  /** Whether it is the state of a processor in the layout that is known here. */
  static boolean isCpu(Section section) {
    return section.name().equals("cpu")
        && section.version() == CPU_VERSION
        && section.data().limit() > CPU_BYTES;
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
