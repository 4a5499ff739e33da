// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.options;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The value of an option of QEMU: {@code key=value,key=value}, where a comma within a value is
 * written twice and the first key may be left out (util/keyval.c of QEMU).
 *
 * @param entries in their order
 */
public record OptionValue(List<Entry> entries) {
  /**
   * One of them.
   *
   * @param key empty if there is none
   * @param value null for a key alone, which QEMU takes as on
   */
  public record Entry(String key, @Nullable String value) {}

  /**
   * Reads a value; every text is one.
   *
   * @param firstIsImplied whether the first entry is a value if it has no {@code =}
   */
  public static OptionValue parse(String text, boolean firstIsImplied) {
    List<Entry> entries = new ArrayList<>();
    StringBuilder part = new StringBuilder();
    for (int i = 0; i <= text.length(); i++) {
      boolean end = i == text.length();
      if (!end && text.charAt(i) != ',') {
        part.append(text.charAt(i));
      } else if (!end && i + 1 < text.length() && text.charAt(i + 1) == ',') {
        part.append(',');
        i++;
      } else {
        if (part.length() > 0) {
          entries.add(entry(part.toString(), firstIsImplied && entries.isEmpty()));
        }
        part.setLength(0);
      }
    }
    return new OptionValue(entries);
  }

  private static Entry entry(String part, boolean implied) {
    int equals = part.indexOf('=');
    // The first may be a path, and no key has a slash.
    if (equals > 0 && !(implied && part.lastIndexOf('/', equals) >= 0)) {
      return new Entry(part.substring(0, equals), part.substring(equals + 1));
    }
    return implied ? new Entry("", part) : new Entry(part, null);
  }

  /** The last value of a key, which is the one that counts; null if there is none. */
  public @Nullable String get(String key) {
    String found = null;
    for (Entry entry : entries) {
      if (entry.key().equals(key)) {
        found = entry.value() == null ? "on" : entry.value();
      }
    }
    return found;
  }

  /** The value of a key, empty if there is none. */
  public String text(String key) {
    String value = get(key);
    return value == null ? "" : value;
  }

  /**
   * The value of the key that may be left out where it comes first; empty if there is none.
   *
   * @param key its name, as it may be written too
   */
  public String first(String key) {
    String implied = get("");
    return implied == null ? text(key) : implied;
  }

  /** Whether a switch is on. */
  public boolean isOn(String key) {
    String value = get(key);
    return value != null && !value.equals("off") && !value.equals("no") && !value.equals("false");
  }

  /** The same without a key. */
  public OptionValue without(String key) {
    List<Entry> kept = new ArrayList<>(entries);
    kept.removeIf(entry -> entry.key().equals(key));
    return new OptionValue(kept);
  }

  /** The same with a key set: where it stood, else at the end. */
  public OptionValue with(String key, String value) {
    List<Entry> changed = new ArrayList<>();
    boolean put = false;
    for (Entry entry : entries) {
      if (!entry.key().equals(key)) {
        changed.add(entry);
      } else if (!put) {
        changed.add(new Entry(key, value));
        put = true;
      }
    }
    if (!put) {
      changed.add(new Entry(key, value));
    }
    return new OptionValue(changed);
  }

  /** As QEMU reads it. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (Entry entry : entries) {
      text.append(text.length() == 0 ? "" : ",");
      String value = entry.value();
      text.append(entry.key()).append(entry.key().isEmpty() || value == null ? "" : "=");
      if (value != null) {
        text.append(value.replace(",", ",,"));
      }
    }
    return text.toString();
  }
}
