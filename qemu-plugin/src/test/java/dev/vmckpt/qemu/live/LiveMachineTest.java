// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vmckpt.qemu.disks.RealQemu;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was plugged into a real QEMU is read back, and another QEMU is started with it. */
class LiveMachineTest {
  /** Both have them from their start. */
  private static final List<String> BEGUN =
      List.of(
          "-m",
          "16,slots=2,maxmem=1G",
          "-smp",
          "1,maxcpus=3",
          "-device",
          "qemu-xhci,id=usb",
          "-device",
          "virtio-scsi-pci,id=scsi",
          "-device",
          "virtio-serial-pci,id=lines");

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeEach
  void makeDisks() throws IOException, InterruptedException {
    Files.createDirectory(folder.resolve("one"));
    Files.createDirectory(folder.resolve("other"));
    Files.write(folder.resolve("raw,1"), new byte[1 << 20]);
    String disk = folder.resolve("disk.qcow2").toString();
    assertThat(
            new ProcessBuilder("qemu-img", "create", "-q", "-f", "qcow2", disk, "1M")
                .inheritIO()
                .start()
                .waitFor())
        .isZero();
  }

  private static void tell(Qmp qmp, String command, String arguments) throws IOException {
    ObjectNode all = (ObjectNode) JSON.readTree(arguments.replace('\'', '"'));
    qmp.execute(command, args -> args.setAll(all));
  }

  private static void plug(Qmp qmp, String arguments) throws IOException {
    tell(qmp, "device_add", arguments);
  }

  private RealQemu start(String name, List<String> more) {
    List<String> options = new ArrayList<>(BEGUN);
    options.addAll(more);
    return RealQemu.start(folder.resolve(name), options.toArray(new String[0]));
  }

  @Test
  void anotherQemuIsMadeOfWhatIsTold() throws Exception {
    String port = "" + freePort();
    List<Option> told = new ArrayList<>();
    Map<String, String> before;
    try (RealQemu one = start("one", List.of())) {
      Qmp qmp = one.qmp();
      tell(
          qmp,
          "blockdev-add",
          "{'driver':'qcow2','node-name':'disk','cache':{'direct':true},'file':{'driver':'file',"
              + "'node-name':'below','filename':'"
              + folder.resolve("disk.qcow2")
              + "'}}");
      plug(qmp, "{'driver':'virtio-blk-pci','id':'blk','drive':'disk','serial':'a,b'}");
      String raw = folder.resolve("raw,1").toString().replace(",", ",,");
      String added =
          People.ask(qmp, "drive_add 0 if=none,id=old,format=raw,readonly=on,file=" + raw);
      assertThat(added).startsWith("OK");
      plug(qmp, "{'driver':'scsi-hd','id':'hd','drive':'old','bus':'scsi.0','lun':3}");
      tell(
          qmp,
          "netdev_add",
          "{'type':'user','id':'n','hostfwd':[{'str':'tcp:127.0.0.1:" + port + "-:22'}]}");
      plug(qmp, "{'driver':'virtio-net-pci','id':'card','netdev':'n','addr':'0xa'}");
      plug(qmp, "{'driver':'e1000','romfile':'','mac':'52:54:00:01:02:03'}");
      tell(
          qmp,
          "object-add",
          "{'qom-type':'memory-backend-ram','id':'more','size':134217728,'share':true}");
      plug(qmp, "{'driver':'pc-dimm','id':'dimm','memdev':'more'}");
      tell(qmp, "object-add", "{'qom-type':'iothread','id':'io','poll-max-ns':0}");
      tell(qmp, "blockdev-add", "{'driver':'null-co','node-name':'nothing','read-zeroes':true}");
      plug(qmp, "{'driver':'usb-kbd','id':'away','bus':'usb.0'}");
      plug(qmp, "{'driver':'usb-tablet','id':'tablet','bus':'usb.0'}");
      tell(qmp, "device_del", "{'id':'away'}");
      plug(qmp, "{'driver':'virtio-rng-pci','id':'rng','max-bytes':1024,'period':100}");
      tell(
          qmp,
          "chardev-add",
          "{'id':'line','backend':{'type':'socket','data':{'server':true,'wait':false,"
              + "'addr':{'type':'unix','data':{'path':'line'}}}}}");
      plug(qmp, "{'driver':'virtserialport','bus':'lines.0','chardev':'line','name':'a.b'}");
      plug(
          qmp, "{'driver':'qemu64-x86_64-cpu','id':'two','socket-id':0,'core-id':2,'thread-id':0}");
      LiveMachine live = new LiveMachine(qmp);
      for (String[] each :
          new String[][] {
            {"drive", "disk"},
            {"drive", "old"},
            {"netdev", "n"},
            {"object", "more"},
            {"object", "io"},
            {"chardev", "line"}
          }) {
        told.add(Objects.requireNonNull(live.backEnd(each[0], each[1]).option(), each[1]));
      }
      assertThat(live.backEnd("drive", "nothing")).isEqualTo(new Told(null, "null-co"));
      assertThat(live.backEnd("netdev", "none")).isEqualTo(new Told(null, ""));
      for (String path : live.devices().keySet()) {
        if (live.isHotPlugged(path)) {
          told.add(live.device(path));
        }
      }
      assertThat(told.toString())
          .contains("file.node-name=below", "hostfwd=tcp:127.0.0.1:" + port + "-10.0.2.15:22")
          .contains("driver=usb-tablet,id=tablet,bus=usb.0,port=2", "addr=a.0", "raw,,1")
          .doesNotContain("away", "qemu-xhci");
      told.forEach(option -> assertThat(live.has(option)).as("%s", option).isTrue());
      assertThat(live.has(new Option("netdev", "user,id=gone"))).isFalse();
      before = properties(qmp);
      // What QEMU had chosen is asked for now.
      assertThat(before.put("/machine/peripheral/tablet.port", "\"2\"")).isEqualTo("\"\"");
    }
    try (RealQemu other = start("other", CommandLine.toArguments(told))) {
      assertThat(properties(other.qmp())).isEqualTo(before);
      assertThat(new LiveMachine(other.qmp()).devices().keySet())
          .noneMatch(path -> new LiveMachine(other.qmp()).isHotPlugged(path));
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return free.getLocalPort();
    }
  }

  /** All that can be told of all devices. */
  private static Map<String, String> properties(Qmp qmp) {
    Map<String, String> all = new TreeMap<>();
    new LiveMachine(qmp)
        .devices()
        .forEach(
            (path, type) -> {
              for (JsonNode each :
                  qmp.execute("device-list-properties", args -> args.put("typename", type))) {
                String name = each.path("name").asText();
                all.put(path + "." + name, Qom.get(qmp, path, name).toString());
              }
            });
    return all;
  }
}
