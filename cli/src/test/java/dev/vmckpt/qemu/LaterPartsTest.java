// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vmckpt.images.Images;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Another QEMU has what was plugged into a running machine, and not what was unplugged from it. */
@Execution(ExecutionMode.CONCURRENT)
class LaterPartsTest {
  private static final Pattern FILES = Pattern.compile("files \\d+");
  private static final ObjectMapper JSON = new ObjectMapper();

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

  private void boot(String... more) throws IOException {
    List<String> options =
        new ArrayList<>(Machine.linux(folder.resolve("serial"), "vmckpt.watch=1", "vmckpt.fs=1"));
    options.addAll(List.of("-netdev", "user,id=n", "-m", "256,slots=2,maxmem=1G"));
    options.addAll(List.of(more));
    machine = Machine.boot(vmckpt, folder, options.toArray(new String[0]));
    guest.awaitLast("devices: eth0");
  }

  private void tell(String command, String arguments) throws IOException {
    ObjectNode all = (ObjectNode) JSON.readTree(arguments.replace('\'', '"'));
    try (Qmp qmp = machine.monitor()) {
      qmp.execute(command, args -> args.setAll(all));
    }
  }

  @Test
  void goWithTheGuest() throws Exception {
    Path base = folder.resolve("base.raw");
    Files.copy(Images.linuxDisk(), base);
    Commands.execute("mkfs.ext4", "-q", "-F", "" + base);
    Path disk = folder.resolve("late.qcow2");
    Commands.execute(
        "qemu-img", "create", "-q", "-f", "qcow2", "-b", "" + base, "-F", "raw", "" + disk);
    boot("-smp", "1,maxcpus=2", "-device", "virtio-balloon-pci,id=balloon", "-device", "qemu-xhci");
    int port = Machine.freePort();
    tell(
        "blockdev-add",
        "{'driver':'qcow2','node-name':'late','file':{'driver':'file','filename':'" + disk + "'}}");
    tell("device_add", "{'driver':'virtio-blk-pci','id':'disk','drive':'late'}");
    tell(
        "netdev_add",
        "{'type':'user','id':'m','hostfwd':[{'str':'tcp:127.0.0.1:" + port + "-:77'}]}");
    tell("device_add", "{'driver':'virtio-net-pci','netdev':'m'}");
    tell("object-add", "{'qom-type':'memory-backend-ram','id':'more','size':134217728}");
    tell("device_add", "{'driver':'pc-dimm','id':'dimm','memdev':'more'}");
    tell(
        "device_add",
        "{'driver':'qemu64-x86_64-cpu','id':'two','socket-id':0,'core-id':1,'thread-id':0}");
    tell("device_add", "{'driver':'usb-tablet','id':'tablet'}");
    tell("device_del", "{'id':'balloon'}");
    String all = "devices: eth0 eth1 vda cpu1 memory";
    guest.awaitLast(all);
    guest.awaitMore(FILES, 1);

    move("first", "--cpu", "qemu64");
    Machine.connect(port).close();
    guest.awaitMore(FILES, 3);
    guest.awaitLast(all);
    // By now all of it is on the command line.
    move("second");
    guest.awaitMore(FILES, 2);
    guest.awaitLast(all);
    machine.kill();
    machine.restore("first");
    guest.awaitMore(FILES, 2);
  }

  private void move(String name, String... more) throws Exception {
    Run saved =
        vmckpt.ok("snapshot", "" + machine.pid(), "--name", name, "--machine", "--kill", "--json");
    assertThat(saved.object().get("machine")).isEqualTo(true);
    List<String> words = new ArrayList<>(List.of("restore", name, "--on", "qemu", "--json"));
    words.addAll(List.of(more));
    machine.is(vmckpt.ok(words.toArray(new String[0])).number("pid"));
  }

  @Test
  void whatQemuDoesNotTellIsNamed() throws Exception {
    boot();
    tell("netdev_add", "{'type':'hubport','id':'hub','hubid':0}");
    tell("device_add", "{'driver':'e1000','id':'late','netdev':'hub','romfile':''}");
    Run refused = vmckpt.fails(3, "snapshot", "" + machine.pid(), "--machine");
    assertThat(refused.err())
        .contains("device late (e1000)", "does not tell what its netdev hub was made of");
    // With what it tells of, it is as any other.
    vmckpt.ok("snapshot", "" + machine.pid());
  }
}
