// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Help.Ansi;

/** Plain columns, two blanks apart, as wide as what is in them. */
final class Table {
  private final Ansi colors;
  private final List<String[]> rows = new ArrayList<>();
  private final List<String> styles = new ArrayList<>();

  Table(Ansi colors, String... heads) {
    this.colors = colors;
    add("bold", heads);
  }

  /** A row without colour. */
  void row(String... cells) {
    add("", cells);
  }

  /** A row in a colour of picocli's markup, for example {@code red}. */
  void add(String style, String... cells) {
    String[] row = new String[cells.length];
    for (int i = 0; i < cells.length; i++) {
      row[i] = Humans.plain(cells[i]).replace('\n', ' ');
    }
    rows.add(row);
    styles.add(style);
  }

  @Override
  public String toString() {
    int[] widths = new int[rows.get(0).length];
    for (String[] row : rows) {
      for (int i = 0; i < row.length; i++) {
        widths[i] = Math.max(widths[i], row[i].length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (int r = 0; r < rows.size(); r++) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        line.append(rows.get(r)[i]);
        line.append(" ".repeat(widths[i] - rows.get(r)[i].length() + 2));
      }
      text.append(styled(line.toString().stripTrailing(), styles.get(r))).append('\n');
    }
    return text.toString();
  }

  private String styled(String line, String style) {
    return style.isEmpty() || !colors.enabled()
        ? line
        : Ansi.Style.on(Ansi.Style.parse(style))
            + line
            + Ansi.Style.off(Ansi.Style.parse(style))
            + Ansi.Style.reset.on();
  }
}
