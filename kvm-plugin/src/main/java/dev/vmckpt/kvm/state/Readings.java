// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a batch reads of one vm or vcpu.
 *
 * @param groups each group, by its name
 */
public record Readings(Map<String, Reading> groups) {
  /** What was read, by group; those the machine does not have are left out. */
  public Map<String, byte[]> bytes() {
    Map<String, byte[]> found = new LinkedHashMap<>();
    groups.forEach(
        (name, reading) -> {
          byte[] bytes = reading.bytes();
          if (bytes != null) {
            found.put(name, bytes);
          }
        });
    return found;
  }
}
