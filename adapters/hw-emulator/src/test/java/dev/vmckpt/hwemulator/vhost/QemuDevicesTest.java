// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.hwemulator.vhost.QemuDevices.Served;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Command lines in all the ways that people and libvirt write them. */
class QemuDevicesTest {
  private static final Path DIRECTORY = Path.of("/srv/vm");

  @Test
  void knowsWhomADeviceCalls() {
    assertThat(
            of(
                "qemu-system-x86_64",
                "-device",
                "vhost-user-blk-pci,id=d,chardev=b",
                "-chardev",
                "socket,id=a,path=/run/a",
                "-chardev",
                "socket,id=b,reconnect=1,path=b,,c.sock"))
        .containsExactly(new Served("vhost-user-blk-pci", Path.of("/srv/vm/b,c.sock")));
  }

  @Test
  void knowsWhatLibvirtWrites() {
    assertThat(
            of(
                "-chardev",
                "socket,id=chr-vu-fs0,path=/var/lib/libvirt/fs0.sock",
                "-device",
                "{\"driver\":\"vhost-user-fs-pci\",\"id\":\"fs0\",\"chardev\":\"chr-vu-fs0\",\"tag\":\"x\"}"))
        .containsExactly(new Served("vhost-user-fs-pci", Path.of("/var/lib/libvirt/fs0.sock")));
  }

  @Test
  void leavesOthersAlone() {
    assertThat(
            of(
                "-chardev",
                "socket,id=s,path=/run/s",
                "-device",
                "isa-serial,chardev=s",
                "-chardev",
                "socket,id=f,fd=7",
                "-device",
                "vhost-user-blk-pci,chardev=f",
                "-device",
                "vhost-user-blk-pci,chardev=missing",
                "-device"))
        .isEmpty();
  }

  private static List<Served> of(String... words) {
    return QemuDevices.of(List.of(words), DIRECTORY);
  }
}
