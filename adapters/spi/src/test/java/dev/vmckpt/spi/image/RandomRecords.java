// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Records of any class of the image model, filled at random; and a comparison that looks into byte
 * arrays.
 */
public final class RandomRecords {
  private static final String LETTERS = "ab \"\\/\n\t\u0000\u001f\u00e4\u20ac\ud83d\ude00{}[]:,";

  private final Random random;

  /** Everything it makes follows from the seed. */
  public RandomRecords(long seed) {
    random = new Random(seed);
  }

  /** One record. */
  public <T> T of(Class<T> type) {
    return type.cast(Objects.requireNonNull(value(type)));
  }

  private @Nullable Object value(Type type) {
    if (type instanceof ParameterizedType generic) {
      int size = random.nextInt(4);
      if (generic.getRawType() == List.class) {
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < size; i++) {
          list.add(Objects.requireNonNull(value(generic.getActualTypeArguments()[0])));
        }
        return list;
      }
      Map<String, Object> map = new LinkedHashMap<>();
      for (int i = 0; i < size; i++) {
        map.put(text() + i, Objects.requireNonNull(value(generic.getActualTypeArguments()[1])));
      }
      return map;
    }
    Class<?> plain = (Class<?>) type;
    if (plain == String.class) {
      return text();
    }
    if (plain == int.class || plain == Integer.class) {
      return random.nextInt(3) == 0 ? Integer.MIN_VALUE : random.nextInt();
    }
    if (plain == long.class || plain == Long.class) {
      return random.nextInt(3) == 0 ? Long.MIN_VALUE : random.nextLong();
    }
    if (plain == boolean.class || plain == Boolean.class) {
      return random.nextBoolean();
    }
    if (plain == byte[].class) {
      byte[] bytes = new byte[random.nextInt(40)];
      random.nextBytes(bytes);
      return bytes;
    }
    if (plain == RemoteAddress.class) {
      return new RemoteAddress(random.nextLong());
    }
    if (plain == JsonTree.class) {
      return new JsonTree(tree(0));
    }
    if (plain.isEnum()) {
      Object[] constants = plain.getEnumConstants();
      return constants[random.nextInt(constants.length)];
    }
    if (plain.isSealed()) {
      Class<?>[] permitted = plain.getPermittedSubclasses();
      return value(permitted[random.nextInt(permitted.length)]);
    }
    return record(plain);
  }

  private Object record(Class<?> type) {
    RecordComponent[] components = type.getRecordComponents();
    Class<?>[] types = new Class<?>[components.length];
    @Nullable Object[] values = new @Nullable Object[components.length];
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      boolean nullable = components[i].getAnnotatedType().isAnnotationPresent(Nullable.class);
      values[i] = nullable && random.nextBoolean() ? null : value(components[i].getGenericType());
    }
    try {
      var constructor = type.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(values);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(type.toString(), e);
    }
  }

  private @Nullable Object tree(int depth) {
    return switch (random.nextInt(depth > 3 ? 5 : 7)) {
      case 0 -> null;
      case 1 -> random.nextLong();
      case 2 -> random.nextBoolean();
      case 3 -> random.nextDouble();
      case 4 -> text();
      case 5 -> treeList(depth);
      default -> treeMap(depth);
    };
  }

  private List<@Nullable Object> treeList(int depth) {
    List<@Nullable Object> list = new ArrayList<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      list.add(tree(depth + 1));
    }
    return list;
  }

  private Map<String, @Nullable Object> treeMap(int depth) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      map.put(text() + i, tree(depth + 1));
    }
    return map;
  }

  private String text() {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(8); i > 0; i--) {
      int at = random.nextInt(LETTERS.codePointCount(0, LETTERS.length()));
      text.appendCodePoint(LETTERS.codePointAt(LETTERS.offsetByCodePoints(0, at)));
    }
    return text.toString();
  }

  /** Whether two values are equal, byte arrays by their contents. */
  public static boolean same(@Nullable Object one, @Nullable Object other) {
    if (one instanceof byte[] bytes) {
      return other instanceof byte[] others && Arrays.equals(bytes, others);
    }
    if (one instanceof List<?> list) {
      return other instanceof List<?> others && sameLists(list, others);
    }
    if (one instanceof Map<?, ?> map) {
      return other instanceof Map<?, ?> others
          && sameLists(new ArrayList<>(map.keySet()), new ArrayList<>(others.keySet()))
          && sameLists(new ArrayList<>(map.values()), new ArrayList<>(others.values()));
    }
    if (one instanceof Record record && other instanceof Record otherRecord) {
      return record.getClass() == otherRecord.getClass()
          && sameLists(components(record), components(otherRecord));
    }
    return Objects.equals(one, other);
  }

  private static boolean sameLists(List<?> one, List<?> other) {
    boolean same = one.size() == other.size();
    for (int i = 0; same && i < one.size(); i++) {
      same = same(one.get(i), other.get(i));
    }
    return same;
  }

  private static List<@Nullable Object> components(Record record) {
    List<@Nullable Object> values = new ArrayList<>();
    for (RecordComponent component : record.getClass().getRecordComponents()) {
      try {
        component.getAccessor().setAccessible(true);
        values.add(component.getAccessor().invoke(record));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }
    return values;
  }
}
