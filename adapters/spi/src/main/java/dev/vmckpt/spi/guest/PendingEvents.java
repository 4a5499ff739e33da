// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * What a processor was about to be interrupted by, and what keeps it from being interrupted.
 *
 * @param exceptionPending an exception that was raised and has no effect yet
 * @param exceptionInjected an exception whose delivery has begun
 * @param exceptionVector its vector, 0 to 31, if either
 * @param exceptionHasErrorCode whether it pushes one
 * @param exceptionErrorCode that code
 * @param exceptionHasPayload whether CR2 or DR6 has still to take {@code exceptionPayload}
 * @param exceptionPayload that value
 * @param interruptInjected an interrupt whose delivery has begun
 * @param interruptVector its vector, 0 to 255
 * @param interruptSoft whether it is an INT instruction's
 * @param shadow MOV SS 1, STI 2: for one instruction no interrupt
 * @param nmiInjected a non-maskable interrupt whose delivery has begun
 * @param nmiPending one that waits
 * @param nmiMasked whether one is being handled
 * @param sipiVector the page a processor that waits for it is to start at, 8 bits
 * @param smm whether it is in system management mode
 * @param smiPending whether a system management interrupt waits
 * @param initLatched whether an INIT waits for the end of system management mode
 * @param tripleFault whether a triple fault waits to be told
 */
public record PendingEvents(
    boolean exceptionPending,
    boolean exceptionInjected,
    int exceptionVector,
    boolean exceptionHasErrorCode,
    int exceptionErrorCode,
    boolean exceptionHasPayload,
    long exceptionPayload,
    boolean interruptInjected,
    int interruptVector,
    boolean interruptSoft,
    int shadow,
    boolean nmiInjected,
    boolean nmiPending,
    boolean nmiMasked,
    int sipiVector,
    boolean smm,
    boolean smiPending,
    boolean initLatched,
    boolean tripleFault) {}
