// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Memory outside the Java heap that the kernel can be pointed at: page-aligned, zeroed,
 * little-endian. It lives as long as this object is reachable.
 */
public final class NativeBuffer {
  private static final int ALIGNMENT = 4096;

  private final ByteBuffer bytes;
  private final long address;

  /**
   * @param size bytes, at least 1
   */
  public NativeBuffer(int size) {
    bytes =
        ByteBuffer.allocateDirect((size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT)
            .alignedSlice(ALIGNMENT)
            .slice(0, size)
            .order(ByteOrder.LITTLE_ENDIAN);
    address = com.sun.jna.Pointer.nativeValue(Native.getDirectBufferPointer(bytes));
  }

  /** A text of UTF-8 with the zero behind it that C expects. */
  public static NativeBuffer ofText(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    NativeBuffer buffer = new NativeBuffer(utf8.length + 1);
    buffer.bytes.put(0, utf8);
    return buffer;
  }

  /** Bytes, copied. */
  public static NativeBuffer ofBytes(byte[] content) {
    NativeBuffer buffer = new NativeBuffer(Math.max(1, content.length));
    buffer.bytes.put(0, content);
    return buffer;
  }

  /** Its place in our address space. */
  public long address() {
    return address;
  }

  /** Its content; use absolute positions. */
  public ByteBuffer bytes() {
    return bytes;
  }

  public int size() {
    return bytes.capacity();
  }

  /** A copy of a part of it. */
  public byte[] copy(int offset, int length) {
    byte[] copy = new byte[length];
    bytes.get(offset, copy);
    return copy;
  }
}
