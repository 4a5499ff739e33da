// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

@Isolated
class TerminalsAdapterTest {
  private static final int O_RDWR = 2;
  private static final int O_NOCTTY = 0400;
  private static final int TIOCSPTLCK = 0x40045431;
  private static final int TIOCGPTN = 0x80045430;

  private final TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP);
  private final AdapterKit kit;

  TerminalsAdapterTest() throws IOException {
    kit = new AdapterKit(new TerminalsAdapter(), home.folder());
  }

  @AfterEach
  void close() {
    kit.close();
    home.close();
  }

  /** A new terminal, its master behind it. */
  private int[] terminal() {
    int master = kit.open(Path.of("/dev/ptmx"), O_RDWR | O_NOCTTY);
    long scratch = kit.process.scratch().value();
    kit.process.write(kit.process.scratch(), new byte[4]);
    kit.process.call("ioctl", "ptmx", Nr.IOCTL, master, TIOCSPTLCK, scratch);
    kit.process.call("ioctl", "ptmx", Nr.IOCTL, master, TIOCGPTN, scratch);
    int number =
        ByteBuffer.wrap(kit.process.read(kit.process.scratch(), 4))
            .order(ByteOrder.LITTLE_ENDIAN)
            .getInt();
    return new int[] {kit.open(Path.of("/dev/pts/" + number), O_RDWR | O_NOCTTY), master};
  }

  @Test
  void comesBackAsNothing() {
    int fd = terminal()[0];
    String was = kit.describe(fd).link();
    int again = kit.reattach(kit.take(fd));
    assertThat(kit.describe(again).link()).isEqualTo("/dev/null");
    assertThat(kit.notes)
        .containsExactly("fd:" + fd + " " + was + ": was a terminal, comes back as /dev/null");
  }

  @Test
  void comesBackAsTheFileTheUserNames() throws IOException {
    int fd = terminal()[0];
    Recorded recorded = kit.take(fd);
    Path log = Files.writeString(home.folder().resolve("log"), "before\n");
    kit.elsewhere.put("terminal", log.toString());
    kit.write(kit.reattach(recorded), "after\n");
    assertThat(log).hasContent("before\nafter\n");
    Path own = home.folder().resolve("own");
    kit.elsewhere.put("fd:" + fd, own.toString());
    kit.write(kit.reattach(recorded), "mine");
    assertThat(own).hasContent("mine");
  }

  @Test
  void comesBackAsAnotherTerminal() {
    int[] other = terminal();
    kit.elsewhere.put("terminal", kit.describe(other[0]).link());
    Recorded recorded = kit.take(terminal()[0]);
    kit.write(kit.reattach(recorded), "hello");
    assertThat(kit.read(other[1], 100)).isEqualTo("hello");
  }

  @Test
  void leavesTheMasterOfATerminalToAnother() {
    assertThat(kit.claim(terminal()[1])).isEmpty();
  }

  @Test
  void claimsNoOtherDevices() {
    assertThat(kit.claim(kit.open(Path.of("/dev/null"), 0))).isEmpty();
  }
}
