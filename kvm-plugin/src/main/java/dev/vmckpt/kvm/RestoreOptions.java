// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.error.UsageException;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the user wants of a restored machine: {@code --reattach kvm:cpu=…} and {@code --reattach
 * kvm:clock=…}.
 *
 * @param cpu what its vcpus say they are
 * @param clock how its clocks go on
 */
record RestoreOptions(Cpu cpu, Clock clock) {
  /** The key for {@link Cpu}. */
  static final String CPU = "kvm:cpu";

  /** The key for {@link Clock}. */
  static final String CLOCK = "kvm:clock";

  /** What vcpus say they are. */
  enum Cpu {
    /** What they said; refused where this host cannot do it. */
    SAVED,
    /** What they said, without what this host cannot do. */
    MASK,
    /** What this host can do. */
    HOST
  }

  /** How clocks go on. */
  enum Clock {
    /** From where they stood: the guest does not notice. */
    CONTINUE,
    /** By the real time that passed. */
    REAL
  }

  /**
   * @param reattach the user's wishes by key
   * @throws UsageException if one of ours is unknown
   */
  static RestoreOptions of(Map<String, String> reattach) {
    for (String key : reattach.keySet()) {
      if (key.startsWith("kvm") && !key.equals(CPU) && !key.equals(CLOCK)) {
        throw new UsageException(
            "--reattach " + key + ": known are " + CPU + "=… and " + CLOCK + "=…");
      }
    }
    return new RestoreOptions(
        choice(CPU, reattach.get(CPU), Cpu.values(), Cpu.SAVED),
        choice(CLOCK, reattach.get(CLOCK), Clock.values(), Clock.CONTINUE));
  }

  private static <E extends Enum<E>> E choice(
      String key, @Nullable String word, E[] choices, E usual) {
    if (word == null) {
      return usual;
    }
    StringBuilder known = new StringBuilder();
    for (E choice : choices) {
      String name = choice.name().toLowerCase(Locale.ROOT);
      if (name.equals(word)) {
        return choice;
      }
      known.append(known.isEmpty() ? "" : ", ").append(name);
    }
    throw new UsageException("--reattach " + key + "=" + word + ": it can be " + known);
  }
}
