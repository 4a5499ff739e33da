// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Devices that another process serves, and that are refused by name: a snapshot of QEMU alone would
 * lose what that process knows, or what it is about to do.
 */
class BackendsTest {
  private static final Pattern DROP = Pattern.compile("--drop (fd:\\d+)");

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(Path.of("/nonexistent"));

  @BeforeEach
  void here() {
    vmckpt = new Vmckpt(folder);
  }

  @Test
  void aDiskOfAStorageDaemonWithoutAMonitor() throws Exception {
    Path disk = folder.resolve("disk.raw");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(1 << 20);
    }
    try (Peer backend = Peer.servingDisk(folder, disk, socket())) {
      refused(
          backend,
          "qemu-storage-da",
          List.of("--qmp", "none"),
          "-object",
          "memory-backend-memfd,id=mem,size=64M,share=on",
          "-machine",
          "memory-backend=mem",
          "-chardev",
          "socket,id=backend,reconnect=1,path=" + socket(),
          "-device",
          "vhost-user-blk-pci,chardev=backend");
    }
  }

  @Test
  void aFolderOfVirtioFs() throws Exception {
    Path shared = Files.createDirectory(folder.resolve("shared"));
    try (Peer backend =
        backend("/usr/lib/qemu/virtiofsd", "--socket-path=" + socket(), "-o", "source=" + shared)) {
      refused(
          backend,
          "virtiofsd",
          List.of(),
          "-object",
          "memory-backend-memfd,id=mem,size=64M,share=on",
          "-machine",
          "memory-backend=mem",
          "-chardev",
          "socket,id=backend,path=" + socket(),
          "-device",
          "vhost-user-fs-pci,chardev=backend,tag=shared");
    }
  }

  private Path socket() {
    return folder.resolve("backend");
  }

  private Peer backend(String... command) throws Exception {
    Peer backend = new Peer(folder, command);
    backend.awaitSocket(socket());
    return backend;
  }

  private void refused(Peer backend, String name, List<String> how, String... options)
      throws Exception {
    try (Machine machine = Machine.boot(vmckpt, folder, options)) {
      List<String> words = new ArrayList<>(List.of("snapshot", "" + machine.pid()));
      words.addAll(how);
      Run refused = vmckpt.fails(3, words.toArray(new String[0]));
      assertThat(refused.err())
          .contains(name, "serves a device of the target", "unplug that device");
      assertThat(backend.alive()).isTrue();
      try (Qmp client = machine.monitor()) {
        assertThat(Qemu.status(client)).contains("running");
        // Who only talks is no such backend.
        assertThat(vmckpt.run("inspect", "" + machine.pid()).out()).contains("lost connection");
      }
      // Whoever says so gets it without the device.
      List<String> drops = new ArrayList<>();
      Matcher matcher = DROP.matcher(refused.err());
      while (matcher.find()) {
        drops.addAll(List.of("--drop", matcher.group(1)));
      }
      machine.saveAndKill("without", drops.toArray(new String[0]));
      machine.restore("without");
      try (Qmp client = machine.monitor()) {
        assertThat(Qemu.status(client)).contains("running");
      }
    }
  }
}
