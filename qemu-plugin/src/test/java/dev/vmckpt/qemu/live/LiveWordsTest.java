// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.options.CommandLine.Option;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What QEMU prints for people is read. */
class LiveWordsTest {
  private static final String NETWORKS =
      """
      hub 0
       \\ hp
       \\ h1: u: index=0,type=user,net=10.0.2.0,restrict=off
       \\ h2: virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:57
      n2: index=0,type=user,net=192.168.7.0,restrict=off
      vn: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56
       \\ n: index=0,type=user,net=10.0.2.0,restrict=on
      st: index=0,type=stream,
      tp: index=0,type=tap,ifname=t0,script=no,downscript=no
      fd: index=0,type=tap,fd=7
      """;

  private static final String FORWARDS =
      """
      Hub -1 (n):
        Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
        TCP[HOST_FORWARD]  12       127.0.0.1 34567       10.0.2.15    22     0     0
        TCP[ESTABLISHED]   13       127.0.0.1 34567       10.0.2.15    22     0     0
        UDP[HOST_FORWARD]  11               * 34568       10.0.2.15    53     0     0
      Hub -1 (n2):
      """;

  private static String network(String id) {
    return text(LiveNetworks.of(NETWORKS, FORWARDS).read(id));
  }

  private static String text(Told told) {
    Option option = told.option();
    return option == null ? "not told: " + told.kind() : option.text();
  }

  @Test
  void networksByTheirLines() {
    LiveNetworks all = LiveNetworks.of(NETWORKS, FORWARDS);
    assertThat(network("n"))
        .isEqualTo(
            "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:34567-10.0.2.15:22,"
                + "hostfwd=udp::34568-10.0.2.15:53");
    assertThat(network("tp")).isEqualTo("tap,id=tp,ifname=t0,script=no,downscript=no");
    assertThat(network("fd")).isEqualTo("not told: tap");
    assertThat(network("st")).isEqualTo("not told: stream");
    assertThat(network("n2")).isEqualTo("not told: user");
    assertThat(network("hp")).isEqualTo("not told: ");
    assertThat(all.users()).containsExactly("u", "n2", "n");
    assertThat(List.of("hp", "h1", "u", "h2", "vn", "n", "fd")).allMatch(all::has);
    assertThat(network("u")).isEqualTo("user,id=u,restrict=off");
    assertThat(all.has("gone")).isFalse();
  }

  @Test
  void characterDevicesByTheirNames() {
    assertThat(text(LiveChardevs.read("c", "null"))).isEqualTo("null,id=c");
    assertThat(text(LiveChardevs.read("c", "pty:/dev/pts/3"))).isEqualTo("pty,id=c");
    assertThat(text(LiveChardevs.read("c", "disconnected:unix:/a,b,server=on")))
        .isEqualTo("socket,id=c,path=/a,,b,server=on,wait=off");
    assertThat(text(LiveChardevs.read("c", "unix:/a"))).isEqualTo("socket,id=c,path=/a");
    assertThat(text(LiveChardevs.read("c", "tcp:[::1]:99,server=on <-> [::1]:1234")))
        .isEqualTo("socket,id=c,host=::1,port=99,server=on,wait=off");
    assertThat(text(LiveChardevs.read("c", "disconnected:telnet:127.0.0.1:7,server=on")))
        .contains("port=7", "telnet=on");
    assertThat(text(LiveChardevs.read("c", "file"))).isEqualTo("not told: file");
    assertThat(text(LiveChardevs.read("c", ""))).isEqualTo("not told: ");
  }

  @Test
  void anyTextIsRead() {
    long seed = new Random().nextLong();
    System.out.println("LiveWordsTest: seed " + seed);
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      LiveNetworks all = LiveNetworks.of(damaged(NETWORKS, random), damaged(FORWARDS, random));
      all.has("n");
      assertThat(all.users()).isNotNull();
      assertThat(all.read("n")).isNotNull();
      assertThat(LiveChardevs.read("c", damaged("tcp:[::1]:99,server=on <-> [::1]:1", random)))
          .isNotNull();
    }
  }

  private static String damaged(String text, Random random) {
    StringBuilder damaged = new StringBuilder(text);
    for (int i = random.nextInt(6); i >= 0 && damaged.length() > 0; i--) {
      int at = random.nextInt(damaged.length());
      switch (random.nextInt(3)) {
        case 0 -> damaged.setCharAt(at, ":,= \n\\(<".charAt(random.nextInt(8)));
        case 1 -> damaged.delete(at, Math.min(damaged.length(), at + random.nextInt(20)));
        default -> damaged.insert(at, damaged.substring(at / 2, at));
      }
    }
    return damaged.toString();
  }
}
