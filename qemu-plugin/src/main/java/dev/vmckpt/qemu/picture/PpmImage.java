// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.picture;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A portable pixmap as QEMU writes it: {@code P6}, width, height and 255 with white space behind
 * each, then three bytes for each pixel (ppm(5)). Java reads no such files.
 */
final class PpmImage {
  private static final int MOST_BYTES = 256 << 20;
  private static final int MOST = 1 << 14;

  private final byte[] bytes;
  private int at;

  private PpmImage(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * Reads one.
   *
   * @throws IOException if it cannot be read, or is none
   */
  static BufferedImage read(Path file) throws IOException {
    if (Files.size(file) > MOST_BYTES) {
      throw new IOException(file + " is longer than any screen");
    }
    return new PpmImage(Files.readAllBytes(file)).image();
  }

  /**
   * Reads one from bytes.
   *
   * @throws IOException if they are none
   */
  static BufferedImage parse(byte[] bytes) throws IOException {
    return new PpmImage(bytes).image();
  }

  private BufferedImage image() throws IOException {
    if (bytes.length < 2 || bytes[0] != 'P' || bytes[1] != '6') {
      throw new IOException("no portable pixmap");
    }
    at = 2;
    int wide = number();
    int high = number();
    if (number() != 255 || wide == 0 || high == 0) {
      throw new IOException("no pixmap of bytes");
    }
    at++;
    if (bytes.length - at < 3L * wide * high) {
      throw new IOException("a pixmap that is cut short");
    }
    BufferedImage image = new BufferedImage(wide, high, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < high; y++) {
      for (int x = 0; x < wide; x++, at += 3) {
        image.setRGB(x, y, (value(at) << 16) | (value(at + 1) << 8) | value(at + 2));
      }
    }
    return image;
  }

  private int value(int index) {
    return bytes[index] & 0xff;
  }

  private int number() throws IOException {
    while (at < bytes.length && Character.isWhitespace(bytes[at])) {
      at++;
    }
    int number = 0;
    int digits = at;
    while (at < bytes.length && bytes[at] >= '0' && bytes[at] <= '9') {
      number = number * 10 + bytes[at++] - '0';
      if (number > MOST) {
        throw new IOException("a pixmap that is larger than any screen");
      }
    }
    if (at == digits) {
      throw new IOException("a pixmap without a size");
    }
    return number;
  }
}
