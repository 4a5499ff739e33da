// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Undoes what was begun, whatever else fails. */
final class Undoing {
  private Undoing() {}

  /**
   * Undoes each, last first; all failures are kept.
   *
   * @param earlier what all failures are added to, and is not thrown; null if nothing has failed
   *     yet: then the first failure is thrown when all is done
   */
  static <T> void lastFirst(
      List<T> begun, Consumer<? super T> undo, @Nullable RuntimeException earlier) {
    RuntimeException failure = earlier;
    for (int i = begun.size() - 1; i >= 0; i--) {
      try {
        undo.accept(begun.get(i));
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (earlier == null && failure != null) {
      throw failure;
    }
  }
}
