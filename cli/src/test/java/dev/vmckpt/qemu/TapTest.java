// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A Linux guest on a tap device, pinged by the host before and after restores. */
class TapTest {
  private static final String GUEST = "10.0.2.15";

  /** Of the first network card of any QEMU. */
  private static final String MAC = "52 54 00 12 34 56";

  /** To everybody, from that card, of the kind RARP; as socat writes packets. */
  private static final String ANNOUNCEMENT = "ff ff ff ff ff ff " + MAC + " 80 35 ";

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void theHostReachesTheGuestAgain() throws Exception {
    try (OwnNetwork network = new OwnNetwork(folder)) {
      Vmckpt vmckpt = new Vmckpt(folder).by(network.enter());
      List<String> options = new ArrayList<>(Machine.linux(folder.resolve("serial")));
      options.addAll(List.of("-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no,vhost=off"));
      try (Machine machine =
          Machine.boot(vmckpt, folder, network.enter(), options.toArray(new String[0]))) {
        network.run("ip", "link", "set", "tap0", "master", "br0", "up", "mtu", "1400");
        network.awaitPing(GUEST);
        String link = link(network, "tap0");
        assertThat(link).contains("1400", "master br0", "UP", "vnet_hdr on");
        Run saved = machine.saveAndKill("base");
        Health.await("the end of tap0", () -> !isThere(network, "tap0"));

        // It went with QEMU, and is made anew; nobody but QEMU has said a word there yet.
        Run anew;
        try (Peer listener = listener(network)) {
          anew = machine.restore("base");
          listener.hear(ANNOUNCEMENT);
          assertThat(before(listener.all(), ANNOUNCEMENT)).doesNotContain(MAC);
        }
        assertThat(anew.text("notes")).contains("tap0: was made anew");
        assertThat(link(network, "tap0")).isEqualTo(link);
        network.awaitPing(GUEST);
        Run second = machine.saveAndKill("second");
        assertThat(tap(second)).isEqualTo(tap(saved)).contains("\"offloads\":15");

        Health.await("the end of tap0 again", () -> !isThere(network, "tap0"));

        // Somebody else has it; another one, which was made for it, serves as well.
        List<String> holder = new ArrayList<>(network.enter());
        holder.addAll(List.of("socat", "TUN,tun-type=tap,tun-name=tap0", "PIPE"));
        try (Peer other = new Peer(folder, holder)) {
          Health.await("another tap0", () -> isThere(network, "tap0"));
          Run refused = vmckpt.fails(3, "restore", "second");
          assertThat(refused.err()).contains("tap0", "somebody else", "--reattach tap:tap0=");
          assertThat(other.all()).isEmpty();
        }
        network.run("ip", "tuntap", "add", "tap7", "mode", "tap", "vnet_hdr");
        network.run("ip", "link", "set", "tap7", "master", "br0", "up");
        try (Peer listener = listener(network)) {
          machine.restore("second", "--reattach", "tap:tap0=tap7");
          listener.hear(ANNOUNCEMENT);
        }
        String port = network.run("bridge", "fdb", "show", "dev", "tap7");
        assertThat(port).contains(MAC.replace(' ', ':'));
        network.awaitPing(GUEST);
        assertThat(network.run("ip", "-o", "-d", "link", "show", "tap7")).contains("LOWER_UP");
        machine.kill();
      }
    }
  }

  @Test
  @Tag("long")
  void severalQueuesOfOneDevice() throws Exception {
    try (OwnNetwork network = new OwnNetwork(folder)) {
      Vmckpt vmckpt = new Vmckpt(folder).by(network.enter());
      List<String> options = new ArrayList<>(Machine.linux(folder.resolve("serial")));
      // Not yet booted: all that the guest will set up is set up after the restore.
      options.addAll(List.of("-S", "-smp", "2"));
      options.addAll(
          List.of("-netdev", "tap,id=n,ifname=tap0,queues=2,script=no,downscript=no,vhost=off"));
      String card = options.get(options.indexOf("-device") + 1);
      options.set(options.indexOf("-device") + 1, card + ",mq=on,vectors=6");
      try (Machine machine =
          Machine.boot(vmckpt, folder, network.enter(), options.toArray(new String[0]))) {
        network.run("ip", "link", "set", "tap0", "master", "br0", "up");
        machine.saveAndKill("base");
        machine.restore("base");
        try (Qmp monitor = machine.monitor()) {
          monitor.execute("cont");
        }
        network.awaitPing(GUEST);
      }
    }
  }

  /** Writes down every packet that passes the bridge, from when this returns. */
  private Peer listener(OwnNetwork network) throws Exception {
    List<String> command = new ArrayList<>(network.enter());
    command.addAll(List.of("socat", "-dd", "-x", "-u", "INTERFACE:br0", "OPEN:/dev/null"));
    Peer listener = new Peer(folder, command);
    listener.hear("starting data transfer loop");
    return listener;
  }

  private static String before(String text, String part) {
    return text.substring(0, text.indexOf(part));
  }

  /** The host's end as the host sees it, without what changes by itself. */
  private static String link(OwnNetwork network, String name) throws Exception {
    String all = network.run("ip", "-o", "-d", "link", "show", name);
    return all.replaceAll("^\\d+: ", "").replaceAll(" bridge_slave .*", "");
  }

  /** What a snapshot holds of QEMU's end. */
  private static String tap(Run saved) throws Exception {
    String manifest = Files.readString(Path.of(saved.text("folder"), "manifest.json"));
    int at = manifest.indexOf("\"adapter\":\"tap\"");
    return manifest.substring(at, manifest.indexOf("}}", at));
  }

  private static boolean isThere(OwnNetwork network, String name) {
    try {
      return network.run("ip", "-o", "link").contains(name);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
