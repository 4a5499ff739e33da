// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Signals that are sent to us. The one class of Java for that is not part of its platform, though
 * it is in every JDK: it is called by name, and where it is not, signals do what they always do.
 */
final class Signals {
  private static final String[] NAMES = {"HUP", "INT", "TERM"};
  private static final int[] NUMBERS = {1, 2, 15};

  private Signals() {}

  /** Has HUP, INT and TERM told to {@code receiver} instead of ending us; ignored ones stay so. */
  static void redirect(IntConsumer receiver) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Method handle = signal.getMethod("handle", signal, handler);
      for (int i = 0; i < NAMES.length; i++) {
        Object proxy =
            Proxy.newProxyInstance(
                Signals.class.getClassLoader(),
                new Class<?>[] {handler},
                new Receiver(receiver, NUMBERS[i]));
        handle.invoke(null, signal.getConstructor(String.class).newInstance(NAMES[i]), proxy);
      }
    } catch (ReflectiveOperationException e) {
      // Another Java, or one that was told to leave signals alone (-Xrs): they end us, not the
      // command.
      return;
    }
  }

  private record Receiver(IntConsumer receiver, int number) implements InvocationHandler {
    @Override
    public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments) {
      return switch (method.getName()) {
        case "handle" -> {
          receiver.accept(number);
          yield null;
        }
        case "hashCode" -> System.identityHashCode(proxy);
        case "equals" -> arguments != null && proxy == arguments[0];
        default -> "signal " + number;
      };
    }
  }
}
