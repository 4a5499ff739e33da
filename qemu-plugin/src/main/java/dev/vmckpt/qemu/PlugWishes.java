// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.plug.Part;
import dev.vmckpt.qemu.plug.Part.Kind;
import dev.vmckpt.qemu.plug.PlugMark;
import dev.vmckpt.qemu.plug.PluggedDevice;
import dev.vmckpt.spi.error.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a user wishes of devices that were unplugged, by {@code --reattach}: {@code
 * chardev:ID=PATH}, the back end at another socket; {@code tap:OLD=NEW}, another tap device; {@code
 * unplugged:ID=none}, none of it.
 */
final class PlugWishes {
  private static final String LEFT_OUT = "unplugged:";
  private static final String NONE = "none";

  private PlugWishes() {}

  /**
   * Looks whether wishes can be fulfilled.
   *
   * @param unplugged null if nothing was
   * @throws UsageException if there is no such device, or nothing of the kind can be wished
   */
  static void check(@Nullable PlugMark unplugged, Map<String, String> wishes) {
    List<String> ids = new ArrayList<>();
    if (unplugged != null) {
      for (PluggedDevice device : unplugged.devices()) {
        ids.add(device.id());
      }
    }
    wishes.forEach(
        (key, value) -> {
          if (!key.startsWith(LEFT_OUT)) {
            return;
          }
          String option = "--reattach " + key + "=" + value + ": ";
          if (!value.equals(NONE)) {
            throw new UsageException(option + "the only value there is none");
          }
          if (!ids.contains(key.substring(LEFT_OUT.length()))) {
            throw new UsageException(
                option
                    + (ids.isEmpty()
                        ? "no device was unplugged for this snapshot"
                        : "unplugged were " + String.join(", ", ids)));
          }
        });
  }

  /** What is to be plugged in, as it is wished. */
  static PlugMark fulfilled(PlugMark unplugged, Map<String, String> wishes) {
    List<PluggedDevice> devices = new ArrayList<>();
    for (PluggedDevice device : unplugged.devices()) {
      if (wishes.containsKey(LEFT_OUT + device.id())) {
        continue;
      }
      PluggedDevice wished = device;
      for (Part part : device.parts()) {
        String key = part.kind() == Kind.CHARDEV ? "path" : "ifname";
        String wish =
            switch (part.kind()) {
              case CHARDEV -> wishes.get("chardev:" + part.id());
              case NETDEV -> wishes.get("tap:" + part.value("ifname"));
              default -> null;
            };
        if (wish != null) {
          wished = wished.with(part.kind(), part.id(), key, wish);
        }
      }
      devices.add(wished);
    }
    return new PlugMark(unplugged.name(), List.copyOf(devices));
  }
}
