// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.events;

import dev.vmckpt.kvm.image.IoEventFdImage;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Places, at equal distances, at which a guest's access may signal an eventfd.
 *
 * @param port whether they are ports, not guest-physical addresses
 * @param first the first of them
 * @param step the distance to the next, at least 1
 * @param count how many, at least 1
 * @param bytes the width of the access: 0 for any, 1, 2, 4 or 8
 * @param match the value that must be written, {@link #ANY} for any
 */
public record Window(boolean port, long first, long step, long count, int bytes, long match) {
  public static final long ANY = -1;

  /** KVM_IOEVENTFD_FLAG_*. */
  static final int DATAMATCH = 1;

  static final int PIO = 2;
  static final int DEASSIGN = 4;

  public Window {
    if (step < 1 || count < 1 || (bytes == 0 && match != ANY)) {
      throw new IllegalArgumentException("no window: " + first + " " + step + " " + count);
    }
  }

  /** The one place of an ioeventfd. */
  static Window of(IoEventFdImage image) {
    boolean port = (image.flags() & PIO) != 0;
    long match = (image.flags() & DATAMATCH) != 0 ? image.dataMatch() : ANY;
    return new Window(port, image.address(), 1, 1, image.bytes(), match);
  }

  /** The flags KVM has for it. */
  int flags() {
    return (port ? PIO : 0) | (match == ANY ? 0 : DATAMATCH);
  }

  /** Its places, each a window of its own. */
  Stream<Window> places() {
    return LongStream.range(0, count)
        .mapToObj(i -> new Window(port, first + i * step, step, 1, bytes, match));
  }
}
