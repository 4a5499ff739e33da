// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU's stub for gdb, and gdb itself at it. */
class DebuggerTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void attachesAfterARestoreAndReadsRegisters() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    int port = Machine.freePort();
    try (Machine machine = Machine.boot(vmckpt, folder, "-S", "-gdb", "tcp:127.0.0.1:" + port)) {
      String before;
      try (Peer gdb = gdb()) {
        gdb.say("target remote 127.0.0.1:" + port + "\nstepi 3\n");
        before = registers(gdb);
        machine.saveAndKill("base");
        gdb.say("stepi\n");
        gdb.hear("Remote co");
      }
      try (ServerSocketChannel taken =
          ServerSocketChannel.open()
              .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))) {
        Run refused = vmckpt.fails(3, "restore", "base");
        assertThat(refused.err()).contains("127.0.0.1:" + port);
        int other = Machine.freePort();
        machine.restore("base", "--reattach", Machine.movable(refused) + "=" + other);
        try (Peer gdb = gdb()) {
          gdb.say("target remote 127.0.0.1:" + other + "\n");
          assertThat(registers(gdb)).isEqualTo(before);
        }
        machine.kill();
        assertThat(taken.isOpen()).isTrue();
      }
      machine.restore("base");
      try (Peer gdb = gdb()) {
        gdb.say("target remote 127.0.0.1:" + port + "\n");
        assertThat(registers(gdb)).isEqualTo(before);
        gdb.say("stepi\n");
        assertThat(registers(gdb)).isNotEqualTo(before);
      }
    }
  }

  private Peer gdb() throws Exception {
    return new Peer(
        folder, "gdb", "-nx", "-q", "-ex", "set confirm off", "-ex", "set pagination off");
  }

  private static String registers(Peer gdb) throws Exception {
    gdb.say("info registers\necho done\\n\n");
    String heard = gdb.hear("done");
    return heard.substring(heard.indexOf("rax"));
  }
}
