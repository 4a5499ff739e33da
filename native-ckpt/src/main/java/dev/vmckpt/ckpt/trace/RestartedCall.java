// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * Which call a thread is in that was interrupted before and goes on by restart_syscall. Its number
 * is gone from the registers then: whoever issued that in a restored process, where the kernel's
 * memory of the call is gone too, would hear EINTR from a call that never ends so.
 *
 * <p>Four calls keep their progress in the kernel (set_restart_fn of kernel/ and fs/select.c). The
 * number is what the code before the {@code syscall} loads, {@code mov $NUMBER, %eax}, if the
 * arguments are such a call's; else what alone goes with the arguments.
 */
final class RestartedCall {
  private static final int NANOSLEEP = 35;
  private static final int[] NUMBERS = {Nr.POLL, NANOSLEEP, Nr.FUTEX, Nr.CLOCK_NANOSLEEP};

  /** The opcode of {@code mov $imm32, %eax}, and its length with the operand. */
  private static final int MOV_EAX = 0xb8;

  private static final int MOV_BYTES = 5;

  /** How far before the {@code syscall} the number may be loaded. */
  private static final int LOOK_BYTES = 48;

  private static final int SYSCALL_BYTES = 2;

  /** No pointer is smaller, see mmap_min_addr. */
  private static final long FIRST_POINTER = 4096;

  /** FUTEX_PRIVATE_FLAG, the same and FUTEX_CLOCK_REALTIME; FUTEX_WAIT and FUTEX_WAIT_BITSET. */
  private static final int FUTEX_PRIVATE = 128;

  private static final int FUTEX_FLAGS = FUTEX_PRIVATE | 256;

  private static final int FUTEX_WAIT = 0;
  private static final int FUTEX_WAIT_BITSET = 9;

  private RestartedCall() {}

  /**
   * The number of the call that restart_syscall goes on with.
   *
   * @param registers of a thread that stands behind a restart_syscall
   * @return the number of restart_syscall if it cannot be told
   */
  static long number(Registers registers, ProcessMemory memory) {
    byte[] code = codeBefore(registers.instructionPointer() - SYSCALL_BYTES, memory);
    for (int at = code.length - MOV_BYTES; at >= 0; at--) {
      if ((code[at] & 0xff) == MOV_EAX
          && code[at + 2] == 0
          && code[at + 3] == 0
          && code[at + 4] == 0
          && fits(code[at + 1] & 0xff, registers)) {
        return code[at + 1] & 0xff;
      }
    }
    // A private futex, by syscall(3) whose number comes from elsewhere; as a call to poll it would
    // be one with just 128 or 137 descriptors.
    if (fits(Nr.FUTEX, registers) && (registers.get(Registers.RSI) & FUTEX_PRIVATE) != 0) {
      return Nr.FUTEX;
    }
    int only = 0;
    int fitting = 0;
    for (int number : NUMBERS) {
      if (fits(number, registers)) {
        only = number;
        fitting++;
      }
    }
    return fitting == 1 ? only : Nr.RESTART_SYSCALL;
  }

  private static byte[] codeBefore(long address, ProcessMemory memory) {
    try {
      return memory.read(new RemoteAddress(address - LOOK_BYTES), LOOK_BYTES);
    } catch (SyscallException notReadable) {
      return new byte[0];
    }
  }

  private static boolean fits(int number, Registers registers) {
    long first = registers.get(Registers.RDI);
    long second = registers.get(Registers.RSI);
    int command = (int) second & ~FUTEX_FLAGS;
    return switch (number) {
      case Nr.POLL -> second >= 0 && second <= Integer.MAX_VALUE;
      case NANOSLEEP -> first >= FIRST_POINTER && (second == 0 || second >= FIRST_POINTER);
      case Nr.FUTEX ->
          first >= FIRST_POINTER
              && first % Integer.BYTES == 0
              // Without a time limit there is no progress to keep.
              && registers.get(Registers.R10) >= FIRST_POINTER
              && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
      // With TIMER_ABSTIME it has no progress to keep.
      case Nr.CLOCK_NANOSLEEP -> second == 0 && registers.get(Registers.RDX) >= FIRST_POINTER;
      default -> false;
    };
  }
}
