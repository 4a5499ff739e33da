// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionValue;
import org.jspecify.annotations.Nullable;

/**
 * What QEMU tells of a part.
 *
 * @param option that would make the like of it; null if not enough is told
 * @param kind what it is, for messages; empty if it is not there
 */
public record Told(@Nullable Option option, String kind) {
  static Told by(String name, OptionValue value) {
    return new Told(new Option(name, value.toString()), "");
  }

  static Told notEnough(String kind) {
    return new Told(null, kind);
  }
}
