// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.fail;

import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Damaged texts: a parser may read them or throw {@link ProcFormatException}, and nothing else. */
class ParserFuzzTest {
  private static final int ROUNDS = 3000;
  private static final String SPICE = "0123456789abcdef-:/ \n\t()\\.f\u0000\u00ff9999";

  /** {@code -Dvmckpt.seed=N} repeats a run. */
  private static final long SEED = Long.getLong("vmckpt.seed", System.nanoTime());

  @Test
  void anyTextIsReadOrRefused() {
    System.out.println("ParserFuzzTest: -Dvmckpt.seed=" + SEED);
    fuzz("zoo.maps", MapsParser::parse);
    fuzz("zoo.smaps", SmapsParser::parse);
    fuzz("zoo.status", ProcStatus::parse);
    fuzz("zoo.stat", ProcStat::parse);
    fuzz("zoo.timers", ProcTimers::parse);
    fuzz("zoo.limits", ProcLimits::parse);
    for (String text : ProcTexts.fdInfos().values()) {
      fuzzText("fdinfo", text, FdInfoParser::parse, ROUNDS / 10);
    }
  }

  private static void fuzz(String name, Consumer<String> parser) {
    fuzzText(name, ProcTexts.of(name), parser, ROUNDS);
  }

  private static void fuzzText(String name, String text, Consumer<String> parser, int rounds) {
    Random random = new Random(SEED);
    for (int round = 0; round < rounds; round++) {
      String damaged = damage(text, random);
      try {
        parser.accept(damaged);
      } catch (ProcFormatException expected) {
        // the documented failure
      } catch (RuntimeException e) {
        fail("seed " + SEED + ", round " + round + ", " + name + ":\n" + damaged, e);
      }
    }
  }

  private static String damage(String text, Random random) {
    StringBuilder damaged = new StringBuilder(text);
    int cuts = 1 + random.nextInt(4);
    for (int i = 0; i < cuts && damaged.length() > 0; i++) {
      int at = random.nextInt(damaged.length());
      switch (random.nextInt(5)) {
        case 0 -> damaged.setLength(at);
        case 1 -> damaged.setCharAt(at, SPICE.charAt(random.nextInt(SPICE.length())));
        case 2 -> damaged.insert(at, SPICE.charAt(random.nextInt(SPICE.length())));
        case 3 -> damaged.delete(at, Math.min(damaged.length(), at + random.nextInt(40)));
        default -> damaged.insert(at, damaged.substring(at, Math.min(damaged.length(), at + 30)));
      }
    }
    return damaged.toString();
  }
}
