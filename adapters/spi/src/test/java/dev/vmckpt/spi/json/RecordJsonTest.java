// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.RandomRecords;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RecordJsonTest {
  private static final int ROUNDS = 300;

  /** One of everything. */
  record Everything(
      int small,
      long big,
      boolean flag,
      String text,
      @Nullable String maybe,
      byte[] bytes,
      RemoteAddress address,
      Word word,
      List<Integer> numbers,
      Map<String, Inner> map,
      Shape0 shape,
      JsonTree tree) {}

  /** A record in a record. */
  record Inner(int x) {}

  enum Word {
    ONE,
    TWO_WORDS
  }

  sealed interface Shape0 {}

  /** One shape. */
  record RoundShape(int radius) implements Shape0 {}

  /** Another. */
  record Flat() implements Shape0 {}

  private static Everything everything(String json) {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    return RecordJson.read(bytes, 0, bytes.length, Everything.class, "it");
  }

  private static final String GOOD =
      "{\"small\":1,\"big\":-9223372036854775808,\"flag\":true,\"text\":\"t\",\"bytes\":\"AP8=\","
          + "\"address\":\"0xffffffffff600000\",\"word\":\"two-words\",\"numbers\":[1,2],"
          + "\"map\":{\"a\":{\"x\":7}},\"shape\":{\"kind\":\"roundShape\",\"radius\":3},"
          + "\"tree\":[1,2.5,null,{\"k\":\"v\"}]}";

  @Test
  void whatIsWrittenIsWhatIsDocumented() {
    assertThat(new String(RecordJson.write(everything(GOOD)), StandardCharsets.UTF_8))
        .isEqualTo(GOOD);
  }

  @Test
  void everyRecordOfTheModelComesBackAsItWas() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    RandomRecords records = new RandomRecords(seed);
    for (int i = 0; i < ROUNDS; i++) {
      Manifest manifest = records.of(Manifest.class);
      byte[] json = RecordJson.write(manifest);
      Manifest back = RecordJson.read(json, 0, json.length, Manifest.class, "it");
      assertThat(RandomRecords.same(manifest, back)).as("seed %d round %d", seed, i).isTrue();
      assertThat(RecordJson.write(back)).as("seed %d round %d", seed, i).isEqualTo(json);
    }
  }

  @Test
  void everyKindOfDescriptorComesBackThroughATree() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    RandomRecords records = new RandomRecords(seed);
    for (Class<?> kind : DescriptorImage.class.getPermittedSubclasses()) {
      for (int i = 0; i < 20; i++) {
        Holder holder = new Holder((DescriptorImage) records.of(kind));
        Holder back = RecordJson.fromTree(RecordJson.toTree(holder), Holder.class, "it");
        assertThat(RandomRecords.same(holder, back)).as("seed %d %s", seed, kind).isTrue();
      }
    }
  }

  /** Something that holds a descriptor. */
  record Holder(DescriptorImage object) {}

  @Test
  void whatIsWrongIsNamedByItsPath() {
    wrong("\"small\":1,", "", "it: small is missing");
    wrong("\"small\":1", "\"small\":\"1\"", "it: small is not a whole number");
    wrong("\"small\":1", "\"small\":1.5", "it: small is not a whole number");
    wrong("\"small\":1", "\"small\":2147483648", "it: small is out of range: 2147483648");
    wrong("-9223372036854775808", "-9223372036854775809", "it: big is out of range");
    wrong("\"flag\":true", "\"flag\":1", "it: flag is not true or false");
    wrong("\"text\":\"t\"", "\"text\":null", "it: text is not a text");
    wrong("\"text\":\"t\"", "\"text\":\"t\",\"text\":\"t\"", "it: text is there twice");
    wrong("\"text\":\"t\"", "\"text\":\"t\",\"txet\":1", "it: txet is unknown");
    wrong("AP8=", "AP8", "it: bytes is not base64");
    wrong("0xffffffffff600000", "ffff", "it: address is not an address");
    wrong("two-words", "TWO_WORDS", "it: word is none of the known words: TWO_WORDS");
    wrong("[1,2]", "[1,\"2\"]", "it: numbers[1] is not a whole number");
    wrong("[1,2]", "[1,null]", "it: numbers[1] is not a whole number");
    wrong("[1,2]", "{}", "it: numbers is not a list");
    wrong("{\"x\":7}", "{\"x\":7,\"y\":8}", "it: map.a.y is unknown");
    wrong("{\"x\":7}", "{}", "it: map.a.x is missing");
    wrong("\"roundShape\"", "\"square\"", "it: shape.kind is unknown: square");
    wrong("\"kind\":\"roundShape\",", "", "it: shape does not begin with its kind");
    wrong("\"tree\":[1,2.5,null,{\"k\":\"v\"}]}", "\"tree\":1} ]", "is not JSON");
    wrong("\"tree\":[1,2.5,null,{\"k\":\"v\"}]}", "\"tree\":1} {}", "goes on after its end");
  }

  @Test
  void deepNestingIsAnErrorAndNoStackOverflow() {
    wrong("[1,2.5,null,{\"k\":\"v\"}]", "[".repeat(100_000) + "]".repeat(100_000), "");
  }

  private static void wrong(String part, String instead, String message) {
    assertThat(GOOD).contains(part);
    assertThatExceptionOfType(SnapshotException.class)
        .as("%s for %s", instead, part)
        .isThrownBy(() -> everything(GOOD.replace(part, instead)))
        .withMessageContaining(message)
        .satisfies(e -> assertThat(e.fault()).isEqualTo(Fault.CORRUPT));
  }

  @Test
  void noTextMakesItFailInAnyOtherWay() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    byte[] good = GOOD.getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < 20_000; i++) {
      byte[] bad = good.clone();
      for (int n = random.nextInt(4); n >= 0; n--) {
        bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
      }
      int length = random.nextInt(10) == 0 ? random.nextInt(bad.length) : bad.length;
      try {
        assertThat(RecordJson.read(bad, 0, length, Everything.class, "it")).isNotNull();
      } catch (SnapshotException e) {
        assertThat(e.fault()).isEqualTo(Fault.CORRUPT);
      } catch (RuntimeException e) {
        throw new AssertionError(
            "seed " + seed + ": " + new String(bad, 0, length, StandardCharsets.ISO_8859_1), e);
      }
    }
  }
}
