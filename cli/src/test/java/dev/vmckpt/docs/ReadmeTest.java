// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.docs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.objects.KernelObject;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.images.Images;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The README's table is what the code's own registry says, and no link in the documentation is
 * broken.
 */
class ReadmeTest {
  private static final String BEGIN = "held by ReadmeTest -->\n";
  private static final String END = "<!-- end of table -->";

  @Test
  void tableIsTheRegistry() throws IOException {
    String readme = Files.readString(Images.root().resolve("README.md"));
    int from = readme.indexOf(BEGIN) + BEGIN.length();
    String found = readme.substring(from, readme.indexOf(END));
    assertThat(found)
        .as("the README's table; the right one is what was expected")
        .isEqualTo(table());
  }

  private static String table() {
    StringBuilder table =
        new StringBuilder("| descriptor | carried by | comes back |\n|---|---|---|\n");
    for (KernelObject<?> object : KernelObjects.all()) {
      row(table, object.name(), "checkpointer", object.carries(), object.changed());
    }
    List<Adapter> adapters = new ArrayList<>();
    ServiceLoader.load(Adapter.class).forEach(adapters::add);
    adapters.sort((a, b) -> a.name().compareTo(b.name()));
    for (Adapter adapter : adapters) {
      for (Carries line : adapter.carries()) {
        row(table, line.what(), "adapter `" + adapter.name() + "`", line.how(), line.changed());
      }
    }
    return table.toString();
  }

  private static void row(
      StringBuilder table, String what, String who, String how, boolean changed) {
    table.append("| ").append(what).append(" | ").append(who).append(" | ");
    table.append(changed ? "*otherwise:* " : "").append(how).append(" |\n");
  }

  @Test
  void linksLeadSomewhere() throws IOException {
    List<String> broken = new ArrayList<>();
    try (Stream<Path> docs = Files.list(Images.root().resolve("docs"))) {
      List<Path> pages = new ArrayList<>(docs.filter(p -> p.toString().endsWith(".md")).toList());
      pages.add(Images.root().resolve("README.md"));
      pages.add(Images.root().resolve("CONTRIBUTING.md"));
      for (Path page : pages) {
        for (String part : Files.readString(page).split("]\\(", -1)) {
          int end = part.indexOf(')');
          String target = end < 0 ? "" : part.substring(0, end);
          if (target.matches("[a-zA-Z0-9_./-]+\\.(md|svg)")
              && !Files.exists(page.resolveSibling(target))) {
            broken.add(page.getFileName() + " -> " + target);
          }
        }
      }
    }
    assertThat(broken).isEmpty();
  }
}
