// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.setup.SetupProcess;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/**
 * Arguments that point to further memory. What they point to is kept behind the structure, and the
 * pointer becomes the offset from the structure's beginning:
 *
 * <pre>
 * struct kvm_msr_filter   0 flags   8 ranges[16], each   0 flags  4 nmsrs  8 base  16 bitmap*   | bitmaps, 8 bytes aligned
 * struct kvm_device_attr  0 flags   4 group   8 attr   16 addr*                                 | the value
 * </pre>
 *
 * <p>An offset is never 0, which stays what it is: no pointer.
 */
public final class Pointers {
  private static final int FILTER_BYTES = 392;
  private static final int RANGES = 16;
  private static final int FIRST_RANGE = 8;
  private static final int RANGE_BYTES = 24;
  private static final int RANGE_MSRS = 4;
  private static final int RANGE_BITMAP = 16;

  /** KVM_MSR_FILTER_MAX_BITMAP_SIZE. */
  private static final int MAX_BITMAP_BYTES = 0x600;

  private static final int ATTRIBUTE_BYTES = 24;
  private static final int ATTRIBUTE_ADDRESS = 16;

  /** Values of attributes are an int or a u64 on x86; what does not need more is not harmed. */
  private static final int VALUE_BYTES = 8;

  private static final int SHORT_VALUE_BYTES = 4;

  private Pointers() {}

  /** Puts what a structure points to behind it; empty if it cannot be read. */
  static Optional<byte[]> gather(KvmCall call, byte[] structure, SetupProcess process) {
    return call == KvmCall.X86_SET_MSR_FILTER
        ? gatherBitmaps(structure, process)
        : gatherValue(structure, process);
  }

  private static Optional<byte[]> gatherBitmaps(byte[] structure, SetupProcess process) {
    ByteBuffer filter = words(structure);
    ByteArrayOutputStream behind = new ByteArrayOutputStream();
    for (int i = 0; i < RANGES; i++) {
      int range = FIRST_RANGE + i * RANGE_BYTES;
      int bytes = bitmapBytes(filter.getInt(range + RANGE_MSRS));
      if (bytes == 0) {
        filter.putLong(range + RANGE_BITMAP, 0);
        continue;
      }
      if (bytes < 0 || bytes > MAX_BITMAP_BYTES) {
        return Optional.empty();
      }
      Optional<byte[]> bitmap =
          process.tryRead(new RemoteAddress(filter.getLong(range + RANGE_BITMAP)), bytes);
      if (bitmap.isEmpty()) {
        return bitmap;
      }
      filter.putLong(range + RANGE_BITMAP, structure.length + behind.size());
      behind.writeBytes(bitmap.get());
    }
    return Optional.of(joined(structure, behind.toByteArray()));
  }

  private static Optional<byte[]> gatherValue(byte[] structure, SetupProcess process) {
    ByteBuffer attribute = words(structure);
    RemoteAddress at = new RemoteAddress(attribute.getLong(ATTRIBUTE_ADDRESS));
    if (at.value() == 0) {
      return Optional.of(structure);
    }
    Optional<byte[]> value = process.tryRead(at, VALUE_BYTES);
    if (value.isEmpty()) {
      value = process.tryRead(at, SHORT_VALUE_BYTES);
    }
    if (value.isEmpty()) {
      return value;
    }
    attribute.putLong(ATTRIBUTE_ADDRESS, structure.length);
    return Optional.of(joined(structure, value.get()));
  }

  /**
   * A kept argument as it must lie in memory for its call to be made again.
   *
   * @param call a call as it was kept
   * @param place where the bytes will be put
   * @throws IllegalArgumentException if an offset leads out of the argument: it was not written by
   *     us
   */
  public static byte[] at(SettingsImage.Call call, RemoteAddress place) {
    byte[] argument = call.argument().clone();
    KvmCall known = KvmCall.of(call.request());
    if (known == KvmCall.X86_SET_MSR_FILTER) {
      check(argument.length >= FILTER_BYTES, call);
      ByteBuffer filter = words(argument);
      for (int i = 0; i < RANGES; i++) {
        int range = FIRST_RANGE + i * RANGE_BYTES;
        int bytes = bitmapBytes(filter.getInt(range + RANGE_MSRS));
        point(argument, range + RANGE_BITMAP, FILTER_BYTES, bytes, place, call);
      }
    } else if (known == KvmCall.SET_DEVICE_ATTR) {
      check(argument.length >= ATTRIBUTE_BYTES, call);
      point(argument, ATTRIBUTE_ADDRESS, ATTRIBUTE_BYTES, SHORT_VALUE_BYTES, place, call);
    }
    return argument;
  }

  private static void point(
      byte[] argument,
      int field,
      int least,
      int bytes,
      RemoteAddress place,
      SettingsImage.Call call) {
    ByteBuffer words = words(argument);
    long offset = words.getLong(field);
    if (offset != 0) {
      check(offset >= least && bytes >= 0 && offset <= argument.length - (long) bytes, call);
      words.putLong(field, place.value() + offset);
    }
  }

  private static void check(boolean right, SettingsImage.Call call) {
    if (!right) {
      throw new IllegalArgumentException(
          "the argument of " + call.name() + " on " + call.on() + " does not fit together");
    }
  }

  /** The kernel rounds a bitmap up to whole words of 64 bits. */
  private static int bitmapBytes(int msrs) {
    return msrs < 0 ? -1 : (int) ((msrs + 63L) / 64 * Long.BYTES);
  }

  private static ByteBuffer words(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static byte[] joined(byte[] first, byte[] second) {
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }
}
