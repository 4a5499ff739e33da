// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * All segment registers of a processor.
 *
 * @param tr the task register
 * @param ldt the local descriptor table
 */
public record SegmentRegisters(
    Segment cs,
    Segment ds,
    Segment es,
    Segment fs,
    Segment gs,
    Segment ss,
    Segment tr,
    Segment ldt) {}
