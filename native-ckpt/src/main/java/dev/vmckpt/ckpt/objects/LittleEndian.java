// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

/** Numbers as x86-64 lays them out in bytes. */
final class LittleEndian {
  private LittleEndian() {}

  static int intAt(byte[] bytes, int at) {
    return (bytes[at] & 0xff)
        | (bytes[at + 1] & 0xff) << 8
        | (bytes[at + 2] & 0xff) << 16
        | bytes[at + 3] << 24;
  }

  static long longAt(byte[] bytes, int at) {
    return (intAt(bytes, at) & 0xffffffffL) | (long) intAt(bytes, at + 4) << 32;
  }

  /** Eight bytes each. */
  static byte[] bytesOf(long... values) {
    byte[] bytes = new byte[8 * values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (values[i / 8] >> (8 * (i % 8)));
    }
    return bytes;
  }
}
