// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.qemu.plug.Part.Kind;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a command line says becomes what a monitor is told. */
class PartTest {
  private static String plugging(Kind kind, String id, String options) {
    return new Part(kind, id, options).plugging().toString().replace("\\\"", "'");
  }

  @Test
  void textIsToldAsItWasWritten() {
    assertThat(plugging(Kind.DEVICE, "c", "e1000,id=c,romfile=a b\\c"))
        .contains("human-monitor-command", "device_add 'e1000,id=c,romfile=a b\\\\\\\\c'");
    assertThat(plugging(Kind.OBJECT, "r", "rng-egd,id=r,chardev=c"))
        .contains("object_add rng-egd,id=r,chardev=c");
  }

  @Test
  void jsonIsToldAsJson() {
    assertThat(plugging(Kind.NETDEV, "n", "{\"type\":\"user\",\"id\":\"n\"}"))
        .isEqualTo("{\"execute\":\"netdev_add\",\"arguments\":{\"type\":\"user\",\"id\":\"n\"}}");
  }

  @Test
  void aSocketIsToldByItsParts() {
    assertThat(plugging(Kind.CHARDEV, "c", "socket,id=c,path=/a,,b,reconnect=1,nodelay"))
        .endsWith(
            "{\"id\":\"c\",\"backend\":{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\","
                + "\"data\":{\"path\":\"/a,b\"}},\"server\":false,\"nodelay\":true,\"reconnect\":1}}}}");
    assertThat(plugging(Kind.CHARDEV, "c", "socket,id=c,host=::1,port=9,ipv4=off"))
        .contains("\"inet\",\"data\":{\"host\":\"::1\",\"port\":\"9\",\"ipv4\":false}");
    assertThat(SocketChardev.unknown(OptionValue.parse("socket,id=c,path=/a,new=1", true)))
        .containsExactly("new");
  }

  @Test
  void aValueCanBeAnother() {
    PluggedDevice device =
        new PluggedDevice(
            "card",
            List.of(
                new Part(Kind.NETDEV, "n", "tap,id=n,ifname=tap0,script=no"),
                new Part(Kind.DEVICE, "card", "{\"driver\":\"e1000\",\"netdev\":\"n\"}")));
    assertThat(device.with(Kind.NETDEV, "n", "ifname", "tap7").parts().get(0).options())
        .isEqualTo("tap,id=n,ifname=tap7,script=no");
    assertThat(device.with(Kind.DEVICE, "card", "addr", "03.0").device().options())
        .isEqualTo("{\"driver\":\"e1000\",\"netdev\":\"n\",\"addr\":\"03.0\"}");
    assertThat(device.with(Kind.CHARDEV, "n", "path", "/a")).isEqualTo(device);
  }
}
