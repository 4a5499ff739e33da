// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether a snapshot needs files that lie in some folder of the store. Having been taken of a
 * process restored from another snapshot is not enough: its own pages and disks are whole. What it
 * only refers to must stay.
 */
final class Dependence {
  private Dependence() {}

  static boolean on(Path folder, Manifest manifest) {
    String prefix = folder + "/";
    for (ProcessImage process : manifest.processes()) {
      if (process.memory().layout().executable().path().startsWith(prefix)) {
        return true;
      }
      for (AreaImage area : process.memory().areas()) {
        if (area.file() != null && area.file().path().startsWith(prefix)) {
          return true;
        }
      }
      for (OpenFileImage file : process.files()) {
        if (file.object() instanceof DescriptorImage.Connection connection
            && mentions(connection.state().value(), text -> text.startsWith(prefix))
            && !keepsItsOwn(connection, manifest.files().keySet())) {
          return true;
        }
      }
    }
    return false;
  }

  /** An adapter that kept the content names a file of the snapshot in its record. */
  private static boolean keepsItsOwn(DescriptorImage.Connection connection, Set<String> files) {
    return mentions(connection.state().value(), files::contains);
  }

  private static boolean mentions(
      @Nullable Object tree, java.util.function.Predicate<String> wanted) {
    if (tree instanceof String text) {
      return wanted.test(text);
    }
    if (tree instanceof List<?> list) {
      for (Object element : list) {
        if (mentions(element, wanted)) {
          return true;
        }
      }
    }
    if (tree instanceof Map<?, ?> map) {
      for (Object element : map.values()) {
        if (mentions(element, wanted)) {
          return true;
        }
      }
    }
    return false;
  }
}
