// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Every way to a monitor, and every program that has one. */
@Timeout(120)
class TransportsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final QmpOptions OPTIONS = QmpOptions.DEFAULT.withTimeout(PATIENCE);
  private static final Pattern TCP = Pattern.compile("tcp:127\\.0\\.0\\.1:(\\d+)");

  @TempDir Path folder;

  /** Everything there is: answers, a long answer, errors, events. */
  private static void converse(Qmp qmp) {
    assertThat(qmp.execute("query-status").path("status").asText()).isEqualTo("prelaunch");
    assertThat(qmp.execute("query-qmp-schema").size()).isGreaterThan(100);
    assertThatThrownBy(() -> qmp.execute("no-such")).isInstanceOf(QmpErrorException.class);
    Pending<QmpEvent> event = qmp.events().expect("RESUME");
    qmp.execute("cont");
    assertThat(event.get().name()).isEqualTo("RESUME");
    qmp.execute("stop");
  }

  @Test
  void unixSocketInThePrettyMode() {
    Path socket = folder.resolve("qmp");
    try (RealServer server =
            RealServer.qemu("-qmp-pretty", "unix:" + socket + ",server=on,wait=off");
        Qmp qmp = Qmp.connect(socket, PATIENCE)) {
      converse(qmp);
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void tcp() {
    Path socket = folder.resolve("qmp");
    try (RealServer server =
            RealServer.qemu(
                "-qmp",
                "unix:" + socket + ",server=on,wait=off",
                "-qmp",
                "tcp:127.0.0.1:0,server=on,wait=off");
        Qmp other = Qmp.connect(socket, PATIENCE);
        Qmp qmp =
            Qmp.connect(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port(other)), OPTIONS)) {
      converse(qmp);
      assertThatThrownBy(
              () ->
                  Qmp.connect(
                      new InetSocketAddress(InetAddress.getLoopbackAddress(), port(other)),
                      OPTIONS.withTimeout(Duration.ofMillis(200))))
          .isInstanceOf(QmpBusyException.class);
      assertThat(server.isAlive()).isTrue();
    }
  }

  private static int port(Qmp other) {
    for (JsonNode device : other.execute("query-chardev")) {
      Matcher matcher = TCP.matcher(device.path("filename").asText());
      if (matcher.find()) {
        return Integer.parseInt(matcher.group(1));
      }
    }
    throw new AssertionError("no TCP monitor");
  }

  @Test
  void terminal() {
    Path socket = folder.resolve("qmp");
    try (RealServer server =
            RealServer.qemu(
                "-qmp",
                "unix:" + socket + ",server=on,wait=off",
                "-chardev",
                "pty,id=terminal",
                "-mon",
                "chardev=terminal,mode=control");
        Qmp other = Qmp.connect(socket, PATIENCE)) {
      for (JsonNode device : other.execute("query-chardev")) {
        if (device.path("label").asText().equals("terminal")) {
          Path terminal = Path.of(device.path("filename").asText().substring("pty:".length()));
          try (Qmp qmp = Qmp.open(terminal, OPTIONS)) {
            converse(qmp);
            assertThat(other.execute("query-status").path("status").asText()).isEqualTo("paused");
          }
        }
      }
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void socketOfAnEmulatorThatConnectsByItself() throws IOException {
    try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listening.bind(UnixDomainSocketAddress.of(folder.resolve("ours")));
      try (RealServer server = RealServer.qemu("-qmp", "unix:" + folder.resolve("ours"));
          Qmp qmp = Qmp.adopt(listening.accept(), OPTIONS)) {
        converse(qmp);
        assertThat(server.isAlive()).isTrue();
      }
    }
  }

  @Test
  void channelThatNoSelectorTakes() throws IOException {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket)) {
      SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
      try (Qmp qmp = Qmp.adopt(new Wrapped(channel), OPTIONS)) {
        converse(qmp);
        List<Pending<JsonNode>> many = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
          many.add(qmp.submit("query-status"));
        }
        many.forEach(each -> assertThat(each.get().has("status")).isTrue());
        CompletableFuture<QmpException> ended = qmp.ended();
        server.kill();
        assertThat(ended.join()).isInstanceOf(QmpClosedException.class);
      }
      assertThat(channel.isOpen()).isFalse();
    }
  }

  /** A channel that is not known to be a socket, as one with a TLS in it would be. */
  private record Wrapped(SocketChannel inner) implements ByteChannel {
    @Override
    public int read(ByteBuffer target) throws IOException {
      return inner.read(target);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      return inner.write(source);
    }

    @Override
    public boolean isOpen() {
      return inner.isOpen();
    }

    @Override
    public void close() throws IOException {
      inner.close();
    }
  }

  @Test
  void oneFileChannelIsRefused() throws IOException {
    try (FileChannel file =
        FileChannel.open(
            folder.resolve("file"),
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.CREATE)) {
      assertThatThrownBy(() -> Qmp.adopt(file, OPTIONS))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("open(Path)");
    }
  }

  @Test
  void storageDaemon() {
    Path socket = folder.resolve("qsd");
    try (RealServer server =
            RealServer.storageDaemon(
                "--chardev",
                "socket,id=c,path=" + socket + ",server=on,wait=off",
                "--monitor",
                "chardev=c");
        Qmp qmp = Qmp.connect(socket, PATIENCE)) {
      assertThat(qmp.execute("query-block-jobs").isArray()).isTrue();
      assertThatThrownBy(() -> qmp.execute("query-status"))
          .isInstanceOfSatisfying(
              QmpErrorException.class,
              e -> assertThat(e.errorClass()).isEqualTo(ErrorClass.COMMAND_NOT_FOUND));
      assertThat(qmp.schema().hasCommand("blockdev-add")).isTrue();
      assertThat(qmp.schema().hasCommand("query-status")).isFalse();
      qmp.execute(
          "blockdev-add",
          args -> args.put("driver", "null-co").put("node-name", "n").put("size", 1 << 20));
      Pending<QmpEvent> over =
          qmp.events()
              .expect(
                  "JOB_STATUS_CHANGE",
                  event -> event.data().path("status").asText().equals("concluded"));
      qmp.execute(
          "blockdev-create",
          args -> {
            args.put("job-id", "j");
            args.putObject("options")
                .put("driver", "file")
                .put("filename", folder.resolve("image").toString())
                .put("size", 1 << 20);
          });
      assertThat(over.get().data().path("id").asText()).isEqualTo("j");
      qmp.execute("quit");
      server.awaitEnd();
    }
  }
}
