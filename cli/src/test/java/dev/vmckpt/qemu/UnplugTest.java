// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpEvent;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * Devices are unplugged for a snapshot and plugged in again: in the original, whatever becomes of
 * the snapshot and of vmckpt, and where it is restored. The guest says what it has.
 */
@Execution(ExecutionMode.CONCURRENT)
class UnplugTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final String GUEST = "10.0.2.15";

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private Machine machine = Machine.none(vmckpt);
  private GuestConsole guest = new GuestConsole(Path.of("/nonexistent"));

  @BeforeEach
  void here() {
    vmckpt = new Vmckpt(folder);
    guest = new GuestConsole(folder.resolve("serial"));
  }

  @AfterEach
  void close() {
    machine.close();
  }

  private Path watched() {
    return folder.resolve("watched");
  }

  private void boot(String... more) throws IOException {
    boot(List.of(), more);
  }

  private void boot(List<String> prefix, String... more) throws IOException {
    List<String> options =
        new ArrayList<>(Machine.linux(folder.resolve("serial"), "vmckpt.watch=1"));
    int card = options.indexOf("-device") + 1;
    options.set(card, options.get(card) + ",id=card");
    options.addAll(List.of(more));
    // The first monitor is the test's own; vmckpt finds the other.
    options.addAll(List.of("-qmp", "unix:" + watched() + ",server=on,wait=off"));
    machine = Machine.boot(vmckpt, folder, prefix, options.toArray(new String[0]));
    Health.await("the guest's card", () -> guest.text().contains("devices: eth0"));
    guest.mark();
  }

  @Test
  void aNetworkCardComesBackInBothPlaces() throws Exception {
    try (OwnNetwork network = new OwnNetwork(folder)) {
      vmckpt = vmckpt.by(network.enter());
      for (String tap : List.of("tap0", "tap7")) {
        network.run("ip", "tuntap", "add", tap, "mode", "tap", "vnet_hdr");
        network.run("ip", "link", "set", tap, "master", "br0", "up");
      }
      boot(network.enter(), "-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no");
      String before = card();
      Run run = vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a", "--unplug", "card");
      assertThat(run.err()).doesNotContain("note:");
      guest.hear("devices: none");
      guest.hear("devices: eth0");
      assertThat(card()).isEqualTo(before);
      network.awaitPing(GUEST);
      String folder = vmckpt.ok("show", "a", "--json").text("folder");
      assertThat(Files.readString(Path.of(folder, "manifest.json"))).doesNotContain("tap device");
      machine.kill();
      guest.mark();
      machine.restore("a", "--reattach", "tap:tap0=tap7");
      guest.hear("devices: eth0");
      network.awaitPing(GUEST);
      assertThat(network.run("ip", "-o", "link", "show", "tap7")).contains("LOWER_UP");
      machine.kill();
      machine.restore("a", "--reattach", "unplugged:card=none");
      assertThat(card()).doesNotContain("card: ");
      Run none = vmckpt.fails(2, "restore", "a", "--reattach", "unplugged:other=none");
      assertThat(none.err()).contains("unplugged were card");
    }
  }

  @Test
  void aDiskOfAnotherProcessIsMetAgain() throws Exception {
    try (Peer daemon = daemon("backend")) {
      boot(
          "-netdev",
          "user,id=n",
          "-object",
          "memory-backend-memfd,id=mem,size=96M,share=on",
          "-machine",
          "memory-backend=mem",
          "-chardev",
          "socket,id=backend,reconnect=1,path=" + folder.resolve("backend"),
          "-device",
          "vhost-user-blk-pci,chardev=backend,id=disk");
      guest.awaitLast("devices: eth0 vda");
      guest.mark();
      Run refused = vmckpt.fails(3, "snapshot", "" + machine.pid(), "--qmp", "none");
      assertThat(refused.err()).contains("qemu-storage-da", "--unplug");
      pluggedInAlthoughNothingComesOfIt();
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a", "--unplug", "disk");
      guest.hear("devices: eth0");
      guest.hear("devices: eth0 vda");
      assertThat(daemon.alive()).isTrue();
      machine.kill();
    }
    guest.mark();
    Run without = machine.restore("a");
    assertThat(without.text("notes")).contains("disk could not be plugged in again");
    machine.kill();
    guest.mark();
    try (Peer another = daemon("another")) {
      machine.restore("a", "--reattach", "chardev:backend=" + folder.resolve("another"));
      guest.hear("devices: eth0 vda");
      try (Qmp there = Qemu.monitor(watched())) {
        assertThat(marks(there)).containsExactly("vmckpt-device-disk");
      }
      // What it is made of now is known from then on.
      vmckpt.ok("snapshot", "" + machine.pid(), "--unplug", "disk");
      guest.hear("devices: eth0");
      guest.hear("devices: eth0 vda");
      assertThat(another.alive()).isTrue();
    }
  }

  private void pluggedInAlthoughNothingComesOfIt() throws Exception {
    try (Peer debugger = new Peer(folder, "strace", "-e", "none", "-p", "" + machine.pid())) {
      Path status = Path.of("/proc/" + machine.pid() + "/status");
      Health.await(
          "a debugger", () -> Files.readString(status).contains("TracerPid:\t" + debugger.pid()));
      Run refused = vmckpt.fails(3, "snapshot", "" + machine.pid(), "--unplug", "card");
      assertThat(refused.err()).contains("process:" + machine.pid());
    }
    guest.hear("devices: vda");
    guest.hear("devices: eth0 vda");
  }

  /** A process that serves a disk at a socket. */
  private Peer daemon(String name) throws Exception {
    Path disk = folder.resolve(name + ".raw");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(1 << 20);
    }
    return Peer.servingDisk(folder, disk, folder.resolve(name));
  }

  @Test
  void killedWhileItIsUnplugged() throws Exception {
    boot("-netdev", "user,id=n");
    Vmckpt marked = vmckpt.marked();
    for (boolean early : new boolean[] {true, false}) {
      try (Qmp watch = Qemu.monitor(watched())) {
        // While the guest is asked to let go of it, and in the pause.
        Pending<QmpEvent> stopped = watch.events().expect("STOP");
        Process run =
            marked.start(
                folder.resolve("out"),
                folder.resolve("err"),
                "snapshot",
                "" + machine.pid(),
                "--unplug",
                "card");
        if (early) {
          Health.await("the mark", () -> !marks(watch).isEmpty());
        } else {
          stopped.get(PATIENCE);
        }
        run.destroyForcibly().waitFor();
        marked.awaitNoLeftovers();
        assertThat(marks(watch)).isEmpty();
        assertThat(card(watch)).contains("card: ", "n: index=0,type=user");
        assertThat(Qemu.status(watch)).isEqualTo("running");
      }
      guest.awaitLast("devices: eth0");
      Health.awaitUntouched(machine.pid());
    }
    pluggedInByTheNext();
  }

  private void pluggedInByTheNext() throws Exception {
    guest.mark();
    try (Qmp watch = Qemu.monitor(watched())) {
      // As it is when the guard was killed too.
      String before = card(watch);
      watch.execute(
          "object-add",
          args ->
              args.put("qom-type", "secret")
                  .put("id", "vmckpt-1-1-0p")
                  .put(
                      "data",
                      "{\"devices\":[{\"id\":\"card\",\"parts\":[{\"kind\":\"netdev\",\"id\":\"n\","
                          + "\"options\":\"user,id=n\"},{\"kind\":\"device\",\"id\":\"card\",\"options\":"
                          + "\"virtio-net-pci,netdev=n,romfile=,id=card\"}]}]}"));
      Pending<QmpEvent> deleted = watch.events().expect("DEVICE_DELETED");
      watch.execute("device_del", args -> args.put("id", "card"));
      deleted.get(PATIENCE);
      guest.hear("devices: none");
      Run run = vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
      assertThat(run.err()).contains("a vmckpt that died had unplugged card");
      guest.hear("devices: eth0");
      assertThat(card(watch)).isEqualTo(before);
      assertThat(marks(watch)).isEmpty();
    }
  }

  @Test
  void aGuestThatDoesNotLetGoKeepsIt() throws Exception {
    // The firmware alone, which waits for a disk to boot from.
    machine =
        Machine.boot(
            vmckpt,
            folder,
            "-netdev",
            "user,id=n",
            "-device",
            "e1000,netdev=n,id=card,romfile=",
            "-device",
            "usb-ehci,id=usb",
            "-device",
            "{\"driver\":\"usb-tablet\",\"bus\":\"usb.0\",\"id\":\"tablet\"}");
    String before;
    try (Qmp watch = machine.monitor()) {
      before = card(watch);
    }
    Run refused = vmckpt.fails(3, "snapshot", "" + machine.pid(), "--unplug", "tablet,card");
    assertThat(refused.err()).contains("device card: the guest did not let go of it");
    try (Qmp watch = machine.monitor()) {
      assertThat(card(watch)).isEqualTo(before);
      assertThat(marks(watch)).isEmpty();
      assertThat(usb(watch)).contains("tablet");
    }
    Run others =
        vmckpt.fails(3, "snapshot", "" + machine.pid(), "--unplug", "usb", "--unplug", "none");
    assertThat(others.err())
        .contains("device usb: tablet sits on it", "device none: the machine has no device");
    // These ask no guest, and one of them is not on the command line.
    String both;
    try (Qmp watch = machine.monitor()) {
      watch.execute("device_add", args -> args.put("driver", "usb-mouse").put("id", "mouse"));
      both = usb(watch);
      assertThat(both).contains("tablet", "mouse");
    }
    vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a", "--unplug", "tablet,mouse");
    try (Qmp watch = machine.monitor()) {
      assertThat(usb(watch)).isEqualTo(both);
    }
    machine.kill();
    machine.restore("a");
    try (Qmp there = machine.monitor()) {
      assertThat(usb(there)).isEqualTo(both);
    }
  }

  private static String usb(Qmp qmp) {
    return qmp.execute("human-monitor-command", args -> args.put("command-line", "info usb"))
        .asText();
  }

  /** The same, by a connection that is closed again; nothing of a snapshot is left there. */
  private String card() {
    try (Qmp qmp = Qemu.monitor(watched())) {
      assertThat(marks(qmp)).isEmpty();
      return card(qmp);
    }
  }

  private static String card(Qmp qmp) {
    return qmp.execute("human-monitor-command", args -> args.put("command-line", "info network"))
            .asText()
        + qmp.execute("human-monitor-command", args -> args.put("command-line", "info pci"))
            .asText()
            .replaceAll("BAR.*|IRQ.*", "");
  }

  private static List<String> marks(Qmp qmp) {
    return CleanInstantTest.marks(qmp);
  }
}
