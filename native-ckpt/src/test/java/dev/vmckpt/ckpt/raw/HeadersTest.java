// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Numbers and layouts that the code writes down are those of the system's own headers. */
class HeadersTest {
  @TempDir Path folder;

  @Test
  void systemCallsHaveTheNumbersOfTheHeaders() throws Exception {
    StringBuilder program = new StringBuilder();
    Map<String, Long> ours = constants(Nr.class);
    for (String name : ours.keySet()) {
      String call = name.toLowerCase(Locale.ROOT);
      program
          .append("  printf(\"")
          .append(name)
          .append(" %ld\\n\", (long) SYS_")
          .append(call)
          .append(");\n");
    }
    assertThat(run(program.toString())).isEqualTo(ours);
  }

  @Test
  void errorsHaveTheNumbersOfTheHeaders() throws Exception {
    StringBuilder program = new StringBuilder();
    Map<String, Long> ours = constants(Errno.class);
    for (String name : ours.keySet()) {
      program
          .append("  printf(\"")
          .append(name)
          .append(" %ld\\n\", (long) ")
          .append(name)
          .append(");\n");
    }
    assertThat(run(program.toString())).isEqualTo(ours);
  }

  @Test
  void structuresHaveTheLayoutOfTheHeaders() throws Exception {
    Map<String, Long> expected = new LinkedHashMap<>();
    expected.put("sizeof(struct user_regs_struct)", 216L);
    expected.put("offsetof(struct user_regs_struct, rbx)", 40L);
    expected.put("offsetof(struct user_regs_struct, r10)", 56L);
    expected.put("offsetof(struct user_regs_struct, rax)", 80L);
    expected.put("offsetof(struct user_regs_struct, rdi)", 112L);
    expected.put("offsetof(struct user_regs_struct, orig_rax)", 120L);
    expected.put("offsetof(struct user_regs_struct, rip)", 128L);
    expected.put("offsetof(struct user_regs_struct, eflags)", 144L);
    expected.put("offsetof(struct user_regs_struct, rsp)", 152L);
    expected.put("offsetof(struct user_regs_struct, fs_base)", 168L);
    // The frame of SignalFrame: struct rt_sigframe begins with the return address.
    expected.put("8 + offsetof(struct ucontext_k, uc_stack)", 24L);
    expected.put("8 + offsetof(struct ucontext_k, uc_mcontext)", 48L);
    expected.put("8 + offsetof(struct ucontext_k, uc_mcontext.rip)", 176L);
    expected.put("8 + offsetof(struct ucontext_k, uc_mcontext.eflags)", 184L);
    expected.put("8 + offsetof(struct ucontext_k, uc_mcontext.cs)", 192L);
    expected.put("8 + offsetof(struct ucontext_k, uc_mcontext.__pad0)", 198L);
    expected.put("8 + offsetof(struct ucontext_k, uc_mcontext.fpstate)", 232L);
    expected.put("8 + offsetof(struct ucontext_k, uc_sigmask)", 304L);
    expected.put("sizeof(struct clone_args)", 88L);
    expected.put("offsetof(struct clone_args, exit_signal)", 32L);
    expected.put("offsetof(struct clone_args, set_tid)", 64L);
    expected.put("sizeof(struct prctl_mm_map)", 104L);
    expected.put("sizeof(siginfo_t)", 128L);
    expected.put("sizeof(struct sigevent)", 64L);
    expected.put("sizeof(posix_spawnattr_t) <= 512", 1L);
    expected.put("(long) POSIX_SPAWN_SETSIGMASK", 8L);
    expected.put("(long) POSIX_SPAWN_SETSID", 0x80L);
    expected.put("(long) PTRACE_SEIZE", 0x4206L);
    expected.put("(long) PTRACE_O_EXITKILL", 1L << 20);
    expected.put("(long) PTRACE_O_SUSPEND_SECCOMP", 1L << 21);
    expected.put("(long) MADV_WIPEONFORK", 18L);
    expected.put("(long) MADV_DONTFORK", 10L);
    StringBuilder program = new StringBuilder();
    for (String expression : expected.keySet()) {
      program.append("  printf(\"%s %ld\\n\", \"").append(expression).append("\", (long) (");
      program.append(expression).append("));\n");
    }
    assertThat(run(program.toString())).isEqualTo(expected);
  }

  private static Map<String, Long> constants(Class<?> type) throws IllegalAccessException {
    Map<String, Long> constants = new LinkedHashMap<>();
    for (Field field : type.getFields()) {
      if (Modifier.isStatic(field.getModifiers()) && field.getType() == int.class) {
        constants.put(field.getName(), (long) field.getInt(null));
      }
    }
    return constants;
  }

  /** Compiles a program that prints a name and a number in each line, and runs it. */
  private Map<String, Long> run(String body) throws IOException, InterruptedException {
    Path source = folder.resolve("headers.c");
    Path program = folder.resolve("headers");
    Files.writeString(
        source,
        """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <linux/prctl.h>
        #include <linux/sched.h>
        #include <signal.h>
        #include <spawn.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <sys/mman.h>
        #include <sys/ptrace.h>
        #include <sys/syscall.h>
        #include <sys/user.h>
        #include <linux/types.h>
        struct kernel_sigcontext {
          __u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
          __u16 cs, gs, fs, __pad0;
          __u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
        };
        struct ucontext_k {
          unsigned long uc_flags; void *uc_link; stack_t uc_stack;
          struct kernel_sigcontext uc_mcontext; unsigned long uc_sigmask;
        };
        _Static_assert(offsetof(ucontext_t, uc_mcontext) == offsetof(struct ucontext_k, uc_mcontext), "");
        _Static_assert(offsetof(ucontext_t, uc_sigmask) == offsetof(struct ucontext_k, uc_sigmask), "");
        int main(void) {
        """
            + body
            + "  return 0;\n}\n");
    execute("gcc", "-o", program.toString(), source.toString());
    Map<String, Long> found = new LinkedHashMap<>();
    for (String line : execute(program.toString()).split("\n", -1)) {
      int blank = line.lastIndexOf(' ');
      if (blank > 0) {
        found.put(line.substring(0, blank), Long.parseLong(line.substring(blank + 1)));
      }
    }
    return found;
  }

  private static String execute(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output =
        new String(
            process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
