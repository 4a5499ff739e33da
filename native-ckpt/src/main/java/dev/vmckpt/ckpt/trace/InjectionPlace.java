// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * Dead memory of the target that an injection may use while all threads stand still: the part of
 * the main stack below the leading thread's stack pointer and red zone.
 *
 * <pre>
 * start                                                     start + BYTES
 * | arguments and results (4 KiB) | exit frame of a child | signal frame … |
 * </pre>
 *
 * What lies there is put back afterwards, though nothing may rely on it: a signal handler could
 * overwrite it at any time.
 *
 * @param start the lowest address used
 */
public record InjectionPlace(RemoteAddress start) {
  /** How much is used, in bytes. */
  public static final int BYTES = 16 << 10;

  private static final int RED_ZONE = 128;
  private static final int ALIGNMENT = 64;
  private static final int FRAME_OFFSET = 6 << 10;

  /**
   * The place below a stack pointer.
   *
   * @param stackPointer the leading thread's
   * @param stackStart the start of the area it points into
   * @return null if there is too little room
   */
  public static @org.jspecify.annotations.Nullable InjectionPlace below(
      long stackPointer, long stackStart) {
    long start = (stackPointer - RED_ZONE - BYTES) & -ALIGNMENT;
    return start < stackStart ? null : new InjectionPlace(new RemoteAddress(start));
  }

  /** Arguments and results. */
  RemoteAddress scratch() {
    return start;
  }

  /**
   * The frame that ends a child by itself; congruent to 8 modulo 16, as a call leaves the stack.
   */
  RemoteAddress exitFrame() {
    return start.plus(4096 + 8);
  }

  /** The frame that gives the thread back to itself. */
  RemoteAddress frame() {
    return start.plus(FRAME_OFFSET + 8);
  }

  /** How many bytes the frame may take. */
  int frameRoom() {
    return BYTES - FRAME_OFFSET - 8;
  }
}
