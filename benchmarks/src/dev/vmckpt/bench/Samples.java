// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** All measurements: by method, by quantity, one number for each round. */
final class Samples {
  private final Map<String, Map<String, List<Double>>> all = new LinkedHashMap<>();
  private final Map<String, String> reasons = new LinkedHashMap<>();

  void add(String method, String quantity, double value) {
    all.computeIfAbsent(method, key -> new LinkedHashMap<>())
        .computeIfAbsent(quantity, key -> new ArrayList<>())
        .add(value);
    System.err.printf(Locale.ROOT, "  %-28s %-16s %12.1f%n", method, quantity, value);
  }

  void add(String method, Console.Silence silence) {
    add(method, "silenceMillis", silence.millis());
    add(method, "silenceAfterMillis", silence.afterMillis());
  }

  /** What went wrong with a method, or why there is none here. */
  void fault(String method, String reason) {
    reasons.merge(method, reason, (old, now) -> old.equals(now) ? old : old + "; " + now);
    System.err.println("  " + method + ": " + reason);
  }

  private List<Double> sorted(String method, String quantity) {
    List<Double> values =
        new ArrayList<>(all.getOrDefault(method, Map.of()).getOrDefault(quantity, List.of()));
    Collections.sort(values);
    return values;
  }

  /** NaN if there is none. */
  double median(String method, String quantity) {
    List<Double> values = sorted(method, quantity);
    int n = values.size();
    return n == 0 ? Double.NaN : (values.get((n - 1) / 2) + values.get(n / 2)) / 2;
  }

  double least(String method, String quantity) {
    List<Double> values = sorted(method, quantity);
    return values.isEmpty() ? Double.NaN : values.get(0);
  }

  double most(String method, String quantity) {
    List<Double> values = sorted(method, quantity);
    return values.isEmpty() ? Double.NaN : values.get(values.size() - 1);
  }

  Map<String, Map<String, List<Double>>> all() {
    return all;
  }

  Map<String, String> reasons() {
    return reasons;
  }
}
