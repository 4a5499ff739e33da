// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * One answer of the CPUID instruction.
 *
 * @param function EAX of the question, unsigned
 * @param index ECX of the question, or -1 where it does not matter
 */
public record CpuidLeaf(int function, int index, int eax, int ebx, int ecx, int edx) {}
