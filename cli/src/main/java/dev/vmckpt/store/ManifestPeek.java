// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Reads the name out of the beginning of a manifest, without the megabyte that may follow. Names
 * are compared by this; whoever wants to rely on a manifest reads it in full.
 */
final class ManifestPeek {
  private static final JsonFactory FACTORY = new JsonFactory();

  private ManifestPeek() {}

  /** The name in a manifest; null if it has none or is damaged. */
  static @Nullable String name(Path manifest) {
    try (InputStream in = Files.newInputStream(manifest);
        JsonParser json = FACTORY.createParser(in)) {
      for (JsonToken token = json.nextToken(); token != null; token = json.nextToken()) {
        if (token != JsonToken.FIELD_NAME) {
          continue;
        }
        String field = json.currentName();
        if ("name".equals(field)) {
          return json.nextTextValue();
        }
        if ("tags".equals(field)) {
          return null;
        }
      }
      return null;
    } catch (IOException e) {
      return null;
    }
  }
}
