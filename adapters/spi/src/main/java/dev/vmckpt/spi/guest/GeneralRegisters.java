// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/** The general registers of a processor, with where it is and its flags. */
public record GeneralRegisters(
    long rax,
    long rbx,
    long rcx,
    long rdx,
    long rsi,
    long rdi,
    long rsp,
    long rbp,
    long r8,
    long r9,
    long r10,
    long r11,
    long r12,
    long r13,
    long r14,
    long r15,
    long rip,
    long rflags) {}
