// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ProcessImage;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * A snapshot in a store.
 *
 * @param folder where it lies, absolute
 * @param manifest what it says of itself
 */
public record Stored(Path folder, Manifest manifest) {
  /** Its id. */
  public String id() {
    return manifest.id();
  }

  /** What to call it: its name, or its id when it has none. */
  public String title() {
    return manifest.name() == null ? manifest.id() : manifest.name();
  }

  /** The bytes of data its files hold; holes are not counted. */
  public long imageBytes() {
    Map<String, Long> pages = new HashMap<>();
    for (ProcessImage process : manifest.processes()) {
      for (AreaImage area : process.memory().areas()) {
        pages.merge(process.memory().pagesFile(), area.dataBytes(), Long::sum);
      }
    }
    long bytes = 0;
    for (Map.Entry<String, FileEntry> file : manifest.files().entrySet()) {
      long whole = file.getValue().bytes();
      bytes += Math.min(whole, pages.getOrDefault(file.getKey(), whole));
    }
    return bytes;
  }
}
