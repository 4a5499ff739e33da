// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;

/** Spoils bytes at random. */
final class Mutation {
  private static final String[] AWKWARD = {
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ":",
    ",",
    "\u0000",
    "\u00ff",
    "\u00ff\u00ff",
    "\u00c3",
    "\u00ed\u00a0\u0080",
    "\\u",
    "\\ud800",
    "1e999999999",
    "-",
    "0123",
    "99999999999999999999999999",
    "null",
    "tru",
    "NaN",
    "/*",
    "//",
    "\r\n",
    "{\"return\": {}}",
    "{\"event\": 1}",
    "\"id\": 2",
    "{\"a\":",
    "[[[[[[[["
  };

  private final Random random;
  private final List<byte[]> others;

  Mutation(Random random, List<byte[]> others) {
    this.random = random;
    this.others = others;
  }

  /** One to eight faults in a copy. */
  byte[] of(byte[] whole) {
    byte[] now = whole;
    for (int faults = 1 + random.nextInt(8); faults > 0; faults--) {
      now = once(now);
    }
    return now;
  }

  private byte[] once(byte[] whole) {
    int at = random.nextInt(whole.length + 1);
    int end = Math.min(whole.length, at + 1 + random.nextInt(random.nextBoolean() ? 4 : 400));
    ByteArrayOutputStream out = new ByteArrayOutputStream(whole.length + 1000);
    out.write(whole, 0, at);
    switch (random.nextInt(8)) {
      case 0 -> end = at; // nothing taken out, and below nothing put in
      case 1 -> out.write(random.nextInt(256));
      case 2 -> put(out, AWKWARD[random.nextInt(AWKWARD.length)]);
      case 3 -> {
        put(out, AWKWARD[random.nextInt(AWKWARD.length)]);
        end = at;
      }
      case 4 -> put(out, AWKWARD[random.nextInt(AWKWARD.length)].repeat(random.nextInt(2000)));
      case 5 -> {
        out.write(whole, at, end - at);
        end = at;
      }
      case 6 -> {
        byte[] other = others.get(random.nextInt(others.size()));
        int from = random.nextInt(other.length);
        out.write(other, from, random.nextInt(other.length - from));
      }
      default -> {
        for (int i = at; i < end; i++) {
          out.write(whole[i] ^ (random.nextInt(10) == 0 ? 1 << random.nextInt(8) : 0));
        }
      }
    }
    // Now and then it just ends.
    if (random.nextInt(20) != 0) {
      out.write(whole, end, whole.length - end);
    }
    byte[] spoilt = out.toByteArray();
    return spoilt.length == 0 ? whole : spoilt;
  }

  private static void put(ByteArrayOutputStream out, String letters) {
    out.writeBytes(letters.getBytes(StandardCharsets.ISO_8859_1));
  }
}
