// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.picture;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpException;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import javax.imageio.ImageIO;

/**
 * The screen of a guest, by QEMU's {@code screendump}. QEMU writes it as it is; it is made small
 * here, when the guest runs again. A guest without a display, and a QEMU that may not write into
 * the snapshot's folder, have none.
 */
public final class Screen {
  /** Its name in a snapshot's folder. */
  public static final String FILE = "screen.png";

  /** As wide as a text screen, or as two thirds of a small graphical one. */
  private static final int MOST_WIDE = 720;

  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final Path raw;
  private final Path to;
  private final Pending<JsonNode> asked;

  private Screen(Path raw, Path to, Pending<JsonNode> asked) {
    this.raw = raw;
    this.to = to;
    this.asked = asked;
  }

  /**
   * Asks for it, and does not wait.
   *
   * @param folder the snapshot's
   * @throws QmpException if the connection is closed
   */
  public static Screen ask(Qmp qmp, Path folder) {
    Path raw = folder.resolve(".screen.ppm");
    // Without a format it is PPM in every version.
    Pending<JsonNode> asked =
        qmp.submit("screendump", args -> args.put("filename", raw.toString()));
    return new Screen(raw, folder.resolve(FILE), asked);
  }

  /** Waits for it, and keeps it; whether there is one. */
  public boolean keep() {
    try {
      asked.get(PATIENCE);
      return ImageIO.write(small(PpmImage.read(raw)), "png", to.toFile());
    } catch (QmpException | IOException e) {
      // No display, or nothing that can be written: a snapshot is whole without a picture.
      return false;
    } finally {
      delete(raw);
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // It becomes a file of the snapshot that nobody looks at.
    }
  }

  private static BufferedImage small(BufferedImage image) {
    if (image.getWidth() <= MOST_WIDE) {
      return image;
    }
    int high = Math.max(1, image.getHeight() * MOST_WIDE / image.getWidth());
    BufferedImage small = new BufferedImage(MOST_WIDE, high, BufferedImage.TYPE_INT_RGB);
    Graphics2D pen = small.createGraphics();
    try {
      pen.setRenderingHint(
          RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
      pen.drawImage(image, 0, 0, MOST_WIDE, high, null);
    } finally {
      pen.dispose();
    }
    return small;
  }
}
