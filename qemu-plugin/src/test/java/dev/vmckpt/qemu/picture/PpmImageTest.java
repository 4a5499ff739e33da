// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.picture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PpmImageTest {
  private static byte[] ppm(String head, int... pixels) {
    byte[] start = head.getBytes(StandardCharsets.US_ASCII);
    byte[] bytes = new byte[start.length + pixels.length];
    System.arraycopy(start, 0, bytes, 0, start.length);
    for (int i = 0; i < pixels.length; i++) {
      bytes[start.length + i] = (byte) pixels[i];
    }
    return bytes;
  }

  @Test
  void pixelsAreRead() throws IOException {
    BufferedImage image = PpmImage.parse(ppm("P6\n2 1\n255\n", 1, 2, 3, 255, 128, 0));
    assertThat(image.getWidth()).isEqualTo(2);
    assertThat(image.getHeight()).isEqualTo(1);
    assertThat(image.getRGB(0, 0)).isEqualTo(0xff010203);
    assertThat(image.getRGB(1, 0)).isEqualTo(0xffff8000);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "P",
        "P5\n1 1\n255\nxxx",
        "P6",
        "P6\n1",
        "P6\n1 1\n255\nxx",
        "P6\n0 1\n255\n",
        "P6\n1 1\n65535\nxxxxxx",
        "P6\n99999 1\n255\n",
        "P6\n-1 1\n255\n"
      })
  void whatIsNoneIsAnError(String text) {
    assertThatThrownBy(() -> PpmImage.parse(text.getBytes(StandardCharsets.US_ASCII)))
        .isInstanceOf(IOException.class);
  }

  @Test
  void noiseIsAnErrorOrAnImage() {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime());
    System.out.println("PpmImageTest -Dvmckpt.seed=" + seed);
    Random random = new Random(seed);
    byte[] good = ppm("P6\n3 2\n255\n", new int[18]);
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = java.util.Arrays.copyOf(good, random.nextInt(good.length + 1));
      for (int j = random.nextInt(4); j > 0 && bytes.length > 0; j--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
      try {
        assertThat(PpmImage.parse(bytes).getWidth()).isPositive();
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("pixmap");
      }
    }
  }
}
