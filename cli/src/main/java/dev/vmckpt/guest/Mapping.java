// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

/**
 * A range of a guest's linear addresses that shows a range of its physical ones.
 *
 * @param linear its first linear address
 * @param gpa its first physical address
 * @param bytes its length
 * @param access {@link #READ}, {@link #WRITE} and {@link #EXECUTE}, or-ed
 */
public record Mapping(long linear, long gpa, long bytes, int access) {
  /** The numbers of PF_* in elf(5). */
  public static final int EXECUTE = 1;

  public static final int WRITE = 2;
  public static final int READ = 4;

  /** Whether another one goes on where this one ends, in both address spaces. */
  boolean touches(Mapping next) {
    return linear + bytes == next.linear && gpa + bytes == next.gpa && access == next.access;
  }

  /** Both as one. */
  Mapping joined(Mapping next) {
    return new Mapping(linear, gpa, bytes + next.bytes, access);
  }
}
