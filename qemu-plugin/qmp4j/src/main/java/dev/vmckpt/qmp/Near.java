// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/** Names like one that is not there, for whoever mistyped it. */
final class Near {
  /** So few are all said. */
  private static final int FEW = 12;

  private static final int NEAR = 3;

  private Near() {}

  /** Continues a sentence: {@code ; there are: a, b} or {@code ; near: a, b}, or nothing. */
  static String names(String wanted, Collection<String> known) {
    if (known.isEmpty()) {
      return "; it has none";
    }
    if (known.size() <= FEW) {
      return "; there are: " + String.join(", ", known);
    }
    List<String> near = new ArrayList<>();
    for (String each : known) {
      boolean like = each.contains(wanted) || wanted.contains(each);
      if (near.size() < FEW && (like || distance(each, wanted) <= NEAR)) {
        near.add(each);
      }
    }
    return near.isEmpty() ? "" : "; near: " + String.join(", ", near);
  }

  /** How many letters have to be put in, taken out or changed (Levenshtein). */
  static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, i -> i);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
