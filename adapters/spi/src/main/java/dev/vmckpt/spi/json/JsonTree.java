// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.json;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * JSON whose shape is known to somebody else.
 *
 * @param value a {@code Map<String, Object>}, {@code List<Object>}, String, Long, Double, Boolean
 *     or null
 */
public record JsonTree(@Nullable Object value) {
  /** The empty object. */
  public static final JsonTree EMPTY = new JsonTree(Map.of());

  /** A list of objects or scalars. */
  public static JsonTree list(List<Object> values) {
    return new JsonTree(values);
  }
}
