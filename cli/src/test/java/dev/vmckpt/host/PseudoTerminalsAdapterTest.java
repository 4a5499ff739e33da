// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.Claim;
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
class PseudoTerminalsAdapterTest {
  private static final int O_RDWR = 2;
  private static final int O_NOCTTY = 0400;
  private static final int TIOCSPTLCK = 0x40045431;
  private static final int TIOCGPTN = 0x80045430;
  private static final int TIOCSWINSZ = 0x5414;
  private static final int TIOCPKT = 0x5420;

  private final TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMP);
  private final AdapterKit kit;

  PseudoTerminalsAdapterTest() throws IOException {
    kit = new AdapterKit(new PseudoTerminalsAdapter(), home.folder());
  }

  @AfterEach
  void close() {
    kit.close();
    home.close();
  }

  private int master() {
    int master = kit.open(Path.of("/dev/ptmx"), O_RDWR | O_NOCTTY);
    ioctl(master, TIOCSPTLCK, new byte[4]);
    return master;
  }

  private byte[] ioctl(int fd, long request, byte[] bytes) {
    kit.process.write(kit.process.scratch(), bytes);
    kit.process.call("ioctl", "ptmx", Nr.IOCTL, fd, request, kit.process.scratch().value());
    return kit.process.read(kit.process.scratch(), bytes.length);
  }

  private String terminal(int master) {
    return "/dev/pts/"
        + ByteBuffer.wrap(ioctl(master, TIOCGPTN, new byte[4]))
            .order(ByteOrder.LITTLE_ENDIAN)
            .getInt();
  }

  @Test
  void comesBackAsItWas() throws IOException {
    int fd = master();
    ioctl(fd, TIOCSWINSZ, new byte[] {33, 0, 77, 0, 0, 0, 0, 0});
    ioctl(fd, TIOCPKT, new byte[] {1, 0, 0, 0});
    Files.setAttribute(Path.of(terminal(fd)), "unix:mode", 0640);
    Recorded was = kit.record(fd).get(0);
    int other = kit.reattach(was);
    assertThat(terminal(other)).isNotEqualTo(terminal(fd));
    Recorded again = kit.record(other).get(0);
    assertThat(without(again, terminal(other))).isEqualTo(without(was, terminal(fd)));
    assertThat(kit.notes)
        .containsExactly("fd:" + fd + " " + terminal(fd) + ": comes back as " + terminal(other));
    int client = kit.open(Path.of(terminal(other)), O_RDWR | O_NOCTTY);
    kit.write(client, "hello");
    // In packet mode a zero stands before the data.
    assertThat(kit.read(other, 100)).isEqualTo("\0hello");
  }

  /** Its state but for the number, which is another one. */
  private static String without(Recorded recorded, String terminal) {
    String number = terminal.substring(terminal.lastIndexOf('/') + 1);
    return String.valueOf(recorded.state().value()).replace("number=" + number + ",", "");
  }

  @Test
  void comesBackAsWhatTheUserNames() throws IOException {
    Recorded recorded = kit.take(master());
    Path own = Files.createFile(home.folder().resolve("own"));
    kit.elsewhere.put(recorded.fd().toString(), own.toString());
    kit.write(kit.reattach(recorded), "mine");
    assertThat(own).hasContent("mine");
  }

  @Test
  void claimsMastersOnly() {
    int fd = master();
    assertThat(kit.claim(fd).map(Claim::summary).orElse("")).contains(terminal(fd));
    assertThat(kit.claim(kit.open(Path.of(terminal(fd)), O_RDWR | O_NOCTTY))).isEmpty();
    assertThat(kit.claim(kit.open(Path.of("/dev/null"), 0))).isEmpty();
  }
}
