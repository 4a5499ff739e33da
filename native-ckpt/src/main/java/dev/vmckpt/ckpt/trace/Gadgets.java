// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;

/**
 * Two pieces of a target's own code that an injection is made of; nothing of ours is put into it.
 *
 * @param syscall the address of {@code syscall; ret}
 * @param signalReturn the address of {@code mov $15, %eax; syscall}: where signal handlers return
 *     to
 */
public record Gadgets(RemoteAddress syscall, RemoteAddress signalReturn) {
  private static final byte[] SYSCALL_RET = {0x0f, 0x05, (byte) 0xc3};
  private static final byte[] MOV_RAX_SYSCALL = {
    0x48, (byte) 0xc7, (byte) 0xc0, 15, 0, 0, 0, 0x0f, 5
  };
  private static final byte[] MOV_EAX_SYSCALL = {(byte) 0xb8, 15, 0, 0, 0, 0x0f, 5};
  private static final int CHUNK = 1 << 20;

  /**
   * Finds them; reads memory only, the target may run.
   *
   * @param code the executable areas as pairs of start and end, the likeliest first
   * @throws RefusedException if the target has no such code, as a program without any C library
   */
  public static Gadgets find(ProcessMemory memory, List<long[]> code, int pid) {
    long syscall = 0;
    long signalReturn = 0;
    for (long[] area : code) {
      for (long at = area[0]; at < area[1] && (syscall == 0 || signalReturn == 0); ) {
        int length = (int) Math.min(CHUNK, area[1] - at);
        byte[] bytes;
        try {
          bytes = memory.read(new RemoteAddress(at), length);
        } catch (SyscallException unreadable) {
          // Behind the end of a shortened file, or a device: no code to find there.
          break;
        }
        syscall = syscall != 0 ? syscall : search(bytes, SYSCALL_RET, at);
        signalReturn = signalReturn != 0 ? signalReturn : search(bytes, MOV_RAX_SYSCALL, at);
        signalReturn = signalReturn != 0 ? signalReturn : search(bytes, MOV_EAX_SYSCALL, at);
        // The next piece overlaps by what a pattern may straddle.
        at += length == CHUNK ? CHUNK - MOV_RAX_SYSCALL.length : length;
      }
      if (syscall != 0 && signalReturn != 0) {
        return new Gadgets(new RemoteAddress(syscall), new RemoteAddress(signalReturn));
      }
    }
    throw new RefusedException(
        "process " + pid,
        List.of(
            new Refusal(
                "process:" + pid,
                "its code holds no 'syscall; ret' or no return from signals, so no call can be made in"
                    + " its place that would survive our own death",
                "nothing can be done about it with this version")));
  }

  private static long search(byte[] bytes, byte[] pattern, long base) {
    for (int i = 0; i + pattern.length <= bytes.length; i++) {
      if (bytes[i] == pattern[0] && matches(bytes, i, pattern)) {
        return base + i;
      }
    }
    return 0;
  }

  private static boolean matches(byte[] bytes, int at, byte[] pattern) {
    for (int i = 1; i < pattern.length; i++) {
      if (bytes[at + i] != pattern[i]) {
        return false;
      }
    }
    return true;
  }
}
