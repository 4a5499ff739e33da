// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The layouts written down here are those of the system's own headers. */
class KvmLayoutTest {
  @TempDir Path folder;

  @Test
  void structuresHaveTheLayoutOfTheHeaders() throws Exception {
    Map<String, Integer> expected = new LinkedHashMap<>();
    size(expected, "kvm_regs", Regs.BYTES);
    at(expected, "kvm_regs", "rax", Regs.RAX);
    at(expected, "kvm_regs", "rbx", Regs.RBX);
    at(expected, "kvm_regs", "rcx", Regs.RCX);
    at(expected, "kvm_regs", "rdx", Regs.RDX);
    at(expected, "kvm_regs", "rsi", Regs.RSI);
    at(expected, "kvm_regs", "rdi", Regs.RDI);
    at(expected, "kvm_regs", "rsp", Regs.RSP);
    at(expected, "kvm_regs", "rbp", Regs.RBP);
    at(expected, "kvm_regs", "r8", Regs.R8);
    at(expected, "kvm_regs", "r15", Regs.R8 + 56);
    at(expected, "kvm_regs", "rip", Regs.RIP);
    at(expected, "kvm_regs", "rflags", Regs.RFLAGS);
    for (String sregs : new String[] {"kvm_sregs", "kvm_sregs2"}) {
      at(expected, sregs, "cs", Sregs.CS);
      at(expected, sregs, "ds", Sregs.DS);
      at(expected, sregs, "es", Sregs.ES);
      at(expected, sregs, "fs", Sregs.FS);
      at(expected, sregs, "gs", Sregs.GS);
      at(expected, sregs, "ss", Sregs.SS);
      at(expected, sregs, "tr", Sregs.TR);
      at(expected, sregs, "ldt", Sregs.LDT);
      at(expected, sregs, "gdt", Sregs.GDT);
      at(expected, sregs, "idt", Sregs.IDT);
      at(expected, sregs, "cr0", Sregs.CR0);
      at(expected, sregs, "cr2", Sregs.CR2);
      at(expected, sregs, "cr3", Sregs.CR3);
      at(expected, sregs, "cr4", Sregs.CR4);
      at(expected, sregs, "cr8", Sregs.CR8);
      at(expected, sregs, "efer", Sregs.EFER);
      at(expected, sregs, "apic_base", Sregs.APIC_BASE);
    }
    size(expected, "kvm_sregs", Sregs.BYTES);
    size(expected, "kvm_sregs2", Sregs.BYTES_2);
    at(expected, "kvm_sregs2", "flags", Sregs.FLAGS_2);
    at(expected, "kvm_sregs2", "pdptrs", Sregs.PDPTRS_2);
    size(expected, "kvm_segment", Sregs.SEGMENT_BYTES);
    at(expected, "kvm_segment", "base", 0);
    at(expected, "kvm_segment", "limit", Sregs.LIMIT);
    at(expected, "kvm_segment", "selector", Sregs.SELECTOR);
    at(expected, "kvm_segment", "type", Sregs.TYPE);
    at(expected, "kvm_segment", "present", Sregs.PRESENT);
    at(expected, "kvm_segment", "dpl", Sregs.DPL);
    at(expected, "kvm_segment", "db", Sregs.DB);
    at(expected, "kvm_segment", "s", Sregs.S);
    at(expected, "kvm_segment", "l", Sregs.L);
    at(expected, "kvm_segment", "g", Sregs.G);
    at(expected, "kvm_segment", "avl", Sregs.AVL);
    at(expected, "kvm_segment", "unusable", Sregs.UNUSABLE);
    at(expected, "kvm_dtable", "base", 0);
    at(expected, "kvm_dtable", "limit", Sregs.LIMIT);
    size(expected, "kvm_xcrs", Xcrs.BYTES);
    at(expected, "kvm_xcrs", "nr_xcrs", 0);
    at(expected, "kvm_xcrs", "xcrs", Xcrs.ENTRIES);
    size(expected, "kvm_xcr", Xcrs.ENTRY_BYTES);
    at(expected, "kvm_xcr", "value", Xcrs.VALUE);
    at(expected, "kvm_msrs", "entries", Msrs.ENTRIES);
    size(expected, "kvm_msr_entry", Msrs.ENTRY_BYTES);
    at(expected, "kvm_msr_entry", "index", 0);
    at(expected, "kvm_msr_entry", "data", Msrs.DATA);
    at(expected, "kvm_cpuid2", "entries", Cpuid.ENTRIES);
    size(expected, "kvm_cpuid_entry2", Cpuid.ENTRY_BYTES);
    at(expected, "kvm_cpuid_entry2", "function", 0);
    at(expected, "kvm_cpuid_entry2", "index", Cpuid.INDEX);
    at(expected, "kvm_cpuid_entry2", "flags", Cpuid.FLAGS);
    at(expected, "kvm_cpuid_entry2", "eax", Cpuid.EAX);
    at(expected, "kvm_cpuid_entry2", "ebx", Cpuid.EBX);
    at(expected, "kvm_cpuid_entry2", "ecx", Cpuid.ECX);
    at(expected, "kvm_cpuid_entry2", "edx", Cpuid.EDX);
    events(expected);
    devices(expected);
    size(expected, "kvm_debugregs", DebugRegs.BYTES);
    at(expected, "kvm_debugregs", "db", 0);
    at(expected, "kvm_debugregs", "dr6", DebugRegs.DR6);
    at(expected, "kvm_debugregs", "dr7", DebugRegs.DR7);
    size(expected, "kvm_mp_state", MpState.BYTES);
    expected.put("KVM_MP_STATE_RUNNABLE", MpState.RUNNABLE);
    expected.put("KVM_MP_STATE_UNINITIALIZED", MpState.UNINITIALIZED);
    expected.put("KVM_MP_STATE_INIT_RECEIVED", MpState.INIT_RECEIVED);
    expected.put("KVM_MP_STATE_HALTED", MpState.HALTED);
    expected.put("KVM_MP_STATE_SIPI_RECEIVED", MpState.SIPI_RECEIVED);
    expected.put("KVM_MP_STATE_AP_RESET_HOLD", MpState.AP_RESET_HOLD);
    size(expected, "kvm_lapic_state", 1024);
    size(expected, "kvm_xsave", 4096);
    assertThat(run(expected)).isEqualTo(expected);
  }

  private static void events(Map<String, Integer> expected) {
    String events = "kvm_vcpu_events";
    size(expected, events, Events.BYTES);
    at(expected, events, "exception.injected", Events.EXCEPTION_INJECTED);
    at(expected, events, "exception.nr", Events.EXCEPTION_NR);
    at(expected, events, "exception.has_error_code", Events.EXCEPTION_HAS_ERROR_CODE);
    at(expected, events, "exception.pending", Events.EXCEPTION_PENDING);
    at(expected, events, "exception.error_code", Events.EXCEPTION_ERROR_CODE);
    at(expected, events, "interrupt.injected", Events.INTERRUPT_INJECTED);
    at(expected, events, "interrupt.nr", Events.INTERRUPT_NR);
    at(expected, events, "interrupt.soft", Events.INTERRUPT_SOFT);
    at(expected, events, "interrupt.shadow", Events.INTERRUPT_SHADOW);
    at(expected, events, "nmi.injected", Events.NMI_INJECTED);
    at(expected, events, "nmi.pending", Events.NMI_PENDING);
    at(expected, events, "nmi.masked", Events.NMI_MASKED);
    at(expected, events, "sipi_vector", Events.SIPI_VECTOR);
    at(expected, events, "smi.smm", Events.SMI_SMM);
    at(expected, events, "smi.pending", Events.SMI_PENDING);
    at(expected, events, "smi.latched_init", Events.SMI_LATCHED_INIT);
    at(expected, events, "triple_fault.pending", Events.TRIPLE_FAULT);
    at(expected, events, "exception_has_payload", Events.HAS_PAYLOAD);
    at(expected, events, "exception_payload", Events.PAYLOAD);
  }

  private static void devices(Map<String, Integer> expected) {
    size(expected, "kvm_irqchip", IrqChips.BYTES);
    at(expected, "kvm_irqchip", "chip_id", 0);
    at(expected, "kvm_irqchip", "chip", IrqChips.CHIP);
    expected.put("KVM_NR_IRQCHIPS", IrqChips.COUNT);
    expected.put("KVM_IRQCHIP_PIC_MASTER", IrqChips.MASTER);
    expected.put("KVM_IRQCHIP_PIC_SLAVE", IrqChips.SLAVE);
    expected.put("KVM_IRQCHIP_IOAPIC", IrqChips.IOAPIC);
    expected.put("KVM_IOAPIC_NUM_PINS", IrqChips.PINS);
    String[] pic = {
      "last_irr",
      "irr",
      "imr",
      "isr",
      "priority_add",
      "irq_base",
      "read_reg_select",
      "poll",
      "special_mask",
      "init_state",
      "auto_eoi",
      "rotate_on_auto_eoi",
      "special_fully_nested_mode",
      "init4",
      "elcr",
      "elcr_mask"
    };
    for (int i = 0; i < pic.length; i++) {
      at(expected, "kvm_pic_state", pic[i], i);
    }
    at(expected, "kvm_ioapic_state", "base_address", 0);
    at(expected, "kvm_ioapic_state", "ioregsel", IrqChips.SELECTED);
    at(expected, "kvm_ioapic_state", "id", IrqChips.ID);
    at(expected, "kvm_ioapic_state", "irr", IrqChips.IRR);
    at(expected, "kvm_ioapic_state", "redirtbl", IrqChips.REDIRECTIONS);
    size(expected, "kvm_pit_state2", Pit.BYTES);
    size(expected, "kvm_pit_channel_state", Pit.CHANNEL_BYTES);
    at(expected, "kvm_pit_state2", "flags", Pit.FLAGS);
    at(expected, "kvm_pit_channel_state", "count", 0);
    at(expected, "kvm_pit_channel_state", "latched_count", Pit.LATCHED_COUNT);
    String[] channel = {
      "count_latched",
      "status_latched",
      "status",
      "read_state",
      "write_state",
      "write_latch",
      "rw_mode",
      "mode",
      "bcd",
      "gate"
    };
    for (int i = 0; i < channel.length; i++) {
      at(expected, "kvm_pit_channel_state", channel[i], 6 + i);
    }
    at(expected, "kvm_pit_channel_state", "count_load_time", Pit.COUNT_LOAD_TIME);
    size(expected, "kvm_clock_data", Clock.BYTES);
    at(expected, "kvm_clock_data", "clock", 0);
    at(expected, "kvm_clock_data", "flags", Clock.FLAGS);
    at(expected, "kvm_clock_data", "realtime", Clock.REALTIME);
    at(expected, "kvm_clock_data", "host_tsc", Clock.HOST_TSC);
  }

  private static void size(Map<String, Integer> expected, String struct, int bytes) {
    expected.put("sizeof(struct " + struct + ")", bytes);
  }

  private static void at(Map<String, Integer> expected, String struct, String field, int offset) {
    expected.put("offsetof(struct " + struct + ", " + field + ")", offset);
  }

  /** Compiles a program that prints each expression with its value, and runs it. */
  private Map<String, Integer> run(Map<String, Integer> expressions) throws Exception {
    StringBuilder program =
        new StringBuilder(
            """
            #include <linux/kvm.h>
            #include <stddef.h>
            #include <stdio.h>
            int main(void) {
            """);
    for (String expression : expressions.keySet()) {
      program.append("  printf(\"%s=%d\\n\", \"").append(expression).append("\", (int) (");
      program.append(expression).append("));\n");
    }
    Path source = folder.resolve("layout.c");
    Path binary = folder.resolve("layout");
    Files.writeString(source, program.append("  return 0;\n}\n").toString());
    execute("gcc", "-o", binary.toString(), source.toString());
    Map<String, Integer> found = new LinkedHashMap<>();
    for (String line : execute(binary.toString()).split("\n", -1)) {
      int equals = line.lastIndexOf('=');
      if (equals > 0) {
        found.put(line.substring(0, equals), Integer.parseInt(line.substring(equals + 1)));
      }
    }
    return found;
  }

  private static String execute(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
