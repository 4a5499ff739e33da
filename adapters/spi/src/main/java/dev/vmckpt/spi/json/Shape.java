// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.json;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** What reflection knows of one record class, looked up once. */
final class Shape {
  private static final Map<Class<?>, Shape> SHAPES = new ConcurrentHashMap<>();

  private final Constructor<?> constructor;
  private final List<Component> components;
  private final @Nullable String kind;

  private Shape(Class<?> type) {
    RecordComponent[] found = type.getRecordComponents();
    if (found == null) {
      throw new IllegalArgumentException("no record: " + type);
    }
    List<Component> list = new ArrayList<>();
    Class<?>[] types = new Class<?>[found.length];
    for (int i = 0; i < found.length; i++) {
      Method accessor = found[i].getAccessor();
      accessor.setAccessible(true);
      types[i] = found[i].getType();
      boolean nullable = found[i].getAnnotatedType().isAnnotationPresent(Nullable.class);
      list.add(new Component(found[i].getName(), found[i].getGenericType(), nullable, accessor));
    }
    try {
      constructor = type.getDeclaredConstructor(types);
    } catch (NoSuchMethodException e) {
      throw new IllegalStateException(e);
    }
    constructor.setAccessible(true);
    components = List.copyOf(list);
    boolean oneOfSeveral = false;
    for (Class<?> above : type.getInterfaces()) {
      oneOfSeveral |= above.isSealed();
    }
    kind = oneOfSeveral ? kindOf(type) : null;
  }

  static Shape of(Class<?> type) {
    Shape shape = SHAPES.get(type);
    if (shape == null) {
      shape = new Shape(type);
      SHAPES.put(type, shape);
    }
    return shape;
  }

  /** The shape of the record that calls itself {@code kind} under a sealed interface. */
  static @Nullable Shape ofKind(Class<?> sealed, String kind) {
    for (Class<?> permitted : sealed.getPermittedSubclasses()) {
      if (kindOf(permitted).equals(kind)) {
        return of(permitted);
      }
    }
    return null;
  }

  static @Nullable Object constant(Class<?> type, String name) {
    for (Object constant : type.getEnumConstants()) {
      if (jsonName((Enum<?>) constant).equals(name)) {
        return constant;
      }
    }
    return null;
  }

  static String jsonName(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static String kindOf(Class<?> type) {
    String name = type.getSimpleName();
    return Character.toLowerCase(name.charAt(0)) + name.substring(1);
  }

  @Nullable String kind() {
    return kind;
  }

  List<Component> components() {
    return components;
  }

  /**
   * The index of a component, looked for from {@code from} on and then from the start; -1 if there
   * is none.
   */
  int indexOf(String name, int from) {
    int size = components.size();
    for (int i = 0; i < size; i++) {
      int index = (from + i) % size;
      if (components.get(index).name().equals(name)) {
        return index;
      }
    }
    return -1;
  }

  Object make(@Nullable Object[] values) {
    try {
      return constructor.newInstance(values);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** One component of a record. */
  record Component(String name, Type type, boolean nullable, Method accessor) {
    @Nullable Object of(Record record) {
      try {
        return accessor.invoke(record);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
