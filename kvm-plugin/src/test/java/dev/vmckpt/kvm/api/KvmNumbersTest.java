// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every number of this package is that of the system's own headers. */
class KvmNumbersTest {
  @TempDir Path folder = Path.of("/nonexistent");

  private static final Map<String, String> LAYOUT =
      Map.ofEntries(
          Map.entry("REGS", "sizeof(struct kvm_regs)"),
          Map.entry("REGS_RIP", "offsetof(struct kvm_regs, rip)"),
          Map.entry("SREGS", "sizeof(struct kvm_sregs)"),
          Map.entry("SREGS_APIC_BASE", "offsetof(struct kvm_sregs, apic_base)"),
          Map.entry("SREGS2", "sizeof(struct kvm_sregs2)"),
          Map.entry("XSAVE", "sizeof(struct kvm_xsave)"),
          Map.entry("XCRS", "sizeof(struct kvm_xcrs)"),
          Map.entry("LAPIC", "sizeof(struct kvm_lapic_state)"),
          Map.entry("MP_STATE", "sizeof(struct kvm_mp_state)"),
          Map.entry("VCPU_EVENTS", "sizeof(struct kvm_vcpu_events)"),
          Map.entry("VCPU_EVENTS_FLAGS", "offsetof(struct kvm_vcpu_events, flags)"),
          Map.entry("DEBUGREGS", "sizeof(struct kvm_debugregs)"),
          Map.entry("NESTED_HEADER", "sizeof(struct kvm_nested_state)"),
          Map.entry("NESTED_SIZE", "offsetof(struct kvm_nested_state, size)"),
          Map.entry("MSRS_HEADER", "sizeof(struct kvm_msrs)"),
          Map.entry("MSR_ENTRY", "sizeof(struct kvm_msr_entry)"),
          Map.entry("MSR_DATA", "offsetof(struct kvm_msr_entry, data)"),
          Map.entry("CPUID_HEADER", "sizeof(struct kvm_cpuid2)"),
          Map.entry("CPUID_ENTRY", "sizeof(struct kvm_cpuid_entry2)"),
          Map.entry("IRQCHIP", "sizeof(struct kvm_irqchip)"),
          Map.entry("PIT_CONFIG", "sizeof(struct kvm_pit_config)"),
          Map.entry("PIT_STATE2", "sizeof(struct kvm_pit_state2)"),
          Map.entry("CLOCK", "sizeof(struct kvm_clock_data)"),
          Map.entry("CLOCK_FLAGS", "offsetof(struct kvm_clock_data, flags)"),
          Map.entry("CLOCK_REALTIME", "offsetof(struct kvm_clock_data, realtime)"),
          Map.entry("CLOCK_HOST_TSC", "offsetof(struct kvm_clock_data, host_tsc)"),
          Map.entry("MEMORY_REGION", "sizeof(struct kvm_userspace_memory_region)"),
          Map.entry("ENABLE_CAP", "sizeof(struct kvm_enable_cap)"),
          Map.entry("ENABLE_CAP_ARGS", "offsetof(struct kvm_enable_cap, args)"),
          Map.entry("DEVICE_ATTR", "sizeof(struct kvm_device_attr)"),
          Map.entry("DEVICE_ATTR_ADDR", "offsetof(struct kvm_device_attr, addr)"),
          Map.entry("RUN_IMMEDIATE_EXIT", "offsetof(struct kvm_run, immediate_exit)"),
          Map.entry("RUN_EXIT_REASON", "offsetof(struct kvm_run, exit_reason)"));

  @Test
  void requests() throws Exception {
    Map<String, String> expressions = new LinkedHashMap<>();
    Map<String, Long> ours = constants(KvmIoctl.class);
    ours.keySet().forEach(name -> expressions.put(name, "KVM_" + name));
    assertThat(ours).hasSizeGreaterThan(50);
    assertThat(inC(expressions)).isEqualTo(ours);
  }

  @Test
  void capabilities() throws Exception {
    Map<String, String> expressions = new LinkedHashMap<>();
    Map<String, Long> ours = constants(KvmCap.class);
    ours.keySet().forEach(name -> expressions.put(name, "KVM_CAP_" + name));
    assertThat(ours).hasSizeGreaterThan(20);
    assertThat(inC(expressions)).isEqualTo(ours);
  }

  @Test
  void layouts() throws Exception {
    Map<String, Long> ours = constants(KvmLayout.class);
    assertThat(ours.keySet()).isEqualTo(LAYOUT.keySet());
    assertThat(inC(LAYOUT)).isEqualTo(ours);
  }

  private static Map<String, Long> constants(Class<?> type) throws IllegalAccessException {
    Map<String, Long> constants = new LinkedHashMap<>();
    for (Field field : type.getFields()) {
      if (Modifier.isStatic(field.getModifiers())) {
        constants.put(field.getName(), ((Number) field.get(null)).longValue());
      }
    }
    return constants;
  }

  /** What a C compiler makes of expressions, by their names. */
  private Map<String, Long> inC(Map<String, String> expressions)
      throws IOException, InterruptedException {
    StringBuilder program =
        new StringBuilder(
            """
            #include <linux/kvm.h>
            #include <stddef.h>
            #include <stdio.h>
            #include <sys/ioctl.h>
            int main(void) {
            """);
    expressions.forEach(
        (name, expression) ->
            program
                .append("  printf(\"")
                .append(name)
                .append(" %lu\\n\", (unsigned long) ")
                .append(expression)
                .append(");\n"));
    Path source = Files.writeString(folder.resolve("numbers.c"), program + "  return 0;\n}\n");
    Path binary = folder.resolve("numbers");
    execute("gcc", "-o", binary.toString(), source.toString());
    Map<String, Long> found = new LinkedHashMap<>();
    for (String line : execute(binary.toString()).split("\n", -1)) {
      int blank = line.indexOf(' ');
      if (blank > 0) {
        found.put(line.substring(0, blank), Long.parseLong(line.substring(blank + 1)));
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
