// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.options.CommandLine;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MonitorPlacesTest {
  private static List<SocketAddress> places(String commandLine) {
    return MonitorPlaces.of(
        CommandLine.parse(List.of(commandLine.split(" ", -1))),
        Path.of("/here"),
        fd -> fd == 7 ? Optional.of("/inherited") : Optional.empty());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "qemu -qmp unix:/run/q,server=on,wait=off | /run/q",
        "qemu --qmp unix:q,server,nowait | /here/q",
        "qemu -qmp-pretty unix:q,server=yes | /here/q",
        "qemu -qmp unix:a,,b,server=on | /here/a,b",
        "qemu -chardev socket,id=m,path=q,server=on -mon chardev=m,mode=control | /here/q",
        "qemu -mon m,mode=control -chardev socket,id=m,path=q,server=on | /here/q",
        "qemu -chardev socket,id=m,fd=7,server=on -mon chardev=m,mode=control | /inherited",
        "qemu -chardev socket,id=m,fd=8,server=on -mon chardev=m,mode=control |",
        "qemu -qmp unix:q |",
        "qemu -qmp unix:q,server=off |",
        "qemu -qmp unix:/a=b/q,server=on | /a=b/q",
        "qemu -new-option -qmp unix:/run/q,server=on | /run/q",
        "qemu -new-option value -qmp unix:/run/q,server=on | /run/q",
        "qemu -append -qmp unix:/run/q,server=on |",
        "qemu -qmp stdio |",
        "qemu -qmp |",
        "qemu -monitor unix:q,server=on |",
        "qemu -chardev socket,id=m,path=q,server=on -mon chardev=m |",
      })
  void thoseAtPaths(String commandLine, String path) {
    List<SocketAddress> expected =
        path == null ? List.of() : List.of(UnixDomainSocketAddress.of(path));
    assertThat(places(commandLine)).isEqualTo(expected);
  }

  @Test
  void thoseAtPorts() {
    assertThat(
            places(
                "qemu -qmp tcp:127.0.0.1:4444,server=on -qmp tcp::4445,server=on"
                    + " -qmp tcp:[::1]:4446,server=on -qmp tcp:localhost:99999,server=on"))
        .map(place -> ((InetSocketAddress) place).getHostString() + " " + port(place))
        .containsExactly("127.0.0.1 4444", "localhost 4445", "0:0:0:0:0:0:0:1 4446");
  }

  private static int port(SocketAddress place) {
    return ((InetSocketAddress) place).getPort();
  }

  @Test
  void anyCommandLineHasSomeOrNone() {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime());
    System.out.println("MonitorPlacesTest -Dvmckpt.seed=" + seed);
    Random random = new Random(seed);
    String[] words = {
      "-qmp",
      "-mon",
      "-chardev",
      "unix:",
      "tcp:",
      "socket",
      "id=",
      "path=",
      "host=",
      "port=",
      "server",
      ",",
      ",,",
      "=",
      ":",
      "m",
      "/",
      "fd=",
      "7",
      "mode=control",
      "chardev=",
      "\0",
      "é"
    };
    for (int i = 0; i < 50_000; i++) {
      StringBuilder line = new StringBuilder("qemu");
      for (int j = random.nextInt(14); j > 0; j--) {
        line.append(random.nextInt(3) == 0 ? " " : "").append(words[random.nextInt(words.length)]);
      }
      assertThat(places(line.toString())).as(line.toString()).isNotNull();
    }
  }
}
