// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * QEMU's character devices, each with a monitor behind it that answers whoever is at the other end.
 * The machine is saved once, with a peer at every one of them; each test begins with a restore.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CharacterDevicesTest {
  private static final Pattern TERMINAL = Pattern.compile("/dev/pts/\\d+");
  private static final String ANSWER = "VM status: running";

  @TempDir static Path folder = Path.of("/nonexistent");
  private final List<AutoCloseable> open = new ArrayList<>();
  private Vmckpt vmckpt = new Vmckpt(Path.of("/nonexistent"));
  private Machine machine = Machine.none(vmckpt);
  private int port;
  private String terminal = "";
  private String settings = "";

  private Path server() {
    return folder.resolve("server");
  }

  private ServerSocketChannel unixPeer() throws Exception {
    return listen(
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
            .bind(UnixDomainSocketAddress.of(folder.resolve("unix-peer"))));
  }

  private ServerSocketChannel listen(ServerSocketChannel channel) {
    open.add(channel);
    return channel;
  }

  @BeforeAll
  void bootAndSave() throws Exception {
    vmckpt = new Vmckpt(folder);
    port = Machine.freePort();
    Commands.execute(
        "mkfifo", folder.resolve("pipe.in").toString(), folder.resolve("pipe.out").toString());
    machine =
        Machine.boot(
            vmckpt,
            folder,
            "-chardev",
            "socket,id=us,server=on,wait=off,path=" + server(),
            "-chardev",
            "socket,id=ts,server=on,wait=off,host=127.0.0.1,port=" + port,
            "-chardev",
            "pty,id=pt",
            "-chardev",
            "pipe,id=pi,path=" + folder.resolve("pipe"),
            "-mon",
            "us",
            "-mon",
            "ts",
            "-mon",
            "pt",
            "-mon",
            "pi");
    Matcher matcher = TERMINAL.matcher(machine.words());
    assertThat(matcher.find()).isTrue();
    terminal = matcher.group();
    Commands.execute("stty", "-F", terminal, "rows", "33", "columns", "77");
    settings = Commands.execute("stty", "-a", "-F", terminal);
    Peer at = new Peer(folder, "socat", "-", "OPEN:" + terminal + ",noctty");
    try (SocketChannel unix = Talk.connect(server());
        SocketChannel tcp = Machine.connect(port);
        at) {
      assertThat(Machine.status(unix)).isEqualTo("running");
      assertThat(Machine.status(tcp)).isEqualTo("running");
      at.say("info status\n");
      at.hear(ANSWER);
      Run saved = machine.saveAndKill("base");
      assertThat(saved.text("notes")).doesNotContain("terminal");
      // What clients see is what any server's death shows them.
      assertThat(Talk.hungUp(unix)).isTrue();
      assertThat(Talk.hungUp(tcp)).isTrue();
      at.awaitEnd();
    }
  }

  @AfterEach
  void end() throws Exception {
    machine.close();
    for (AutoCloseable each : open) {
      each.close();
    }
    open.clear();
  }

  @AfterAll
  void endAtLast() {
    machine.close();
  }

  @Test
  void serversListenAgain() throws Exception {
    Run run = machine.restore("base");
    assertThat(run.text("notes")).contains("hung up");
    try (SocketChannel unix = Talk.connect(server());
        SocketChannel tcp = Machine.connect(port)) {
      assertThat(Machine.status(unix)).isEqualTo("running");
      assertThat(Machine.status(tcp)).isEqualTo("running");
    }
  }

  private static boolean tryBind(ServerSocketChannel channel, int port) throws IOException {
    try {
      channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      return true;
    } catch (BindException taken) {
      return false;
    }
  }

  @Test
  void serversWhosePlaceIsTakenGoElsewhere() throws Exception {
    Files.deleteIfExists(server());
    listen(
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
            .bind(UnixDomainSocketAddress.of(server())));
    // Whoever was killed before may take a moment to let go of it.
    ServerSocketChannel there = listen(ServerSocketChannel.open());
    Health.await("port " + port, () -> tryBind(there, port));
    Run path = vmckpt.fails(3, "restore", "base");
    assertThat(path.err()).contains(server().toString(), "/another/path");
    Path elsewhere = folder.resolve("elsewhere");
    String unixMoved = Machine.movable(path) + "=" + elsewhere;
    Run refused = vmckpt.fails(3, "restore", "base", "--reattach", unixMoved);
    assertThat(refused.err()).contains("127.0.0.1:" + port, "ANOTHER-PORT");
    int other = Machine.freePort();
    machine.restore(
        "base", "--reattach", unixMoved, "--reattach", Machine.movable(refused) + "=" + other);
    try (SocketChannel unix = Talk.connect(elsewhere);
        SocketChannel tcp = Machine.connect(other)) {
      assertThat(Machine.status(unix)).isEqualTo("running");
      assertThat(Machine.status(tcp)).isEqualTo("running");
    }
    Files.delete(server());
  }

  @Test
  void aTerminalIsANewOneSetAsTheOldOne() throws Exception {
    String notes = machine.restore("base").text("notes");
    Matcher matcher = Pattern.compile(terminal + ": (.*?)(/dev/pts/\\d+)?[,\\]]").matcher(notes);
    assertThat(matcher.find()).as(notes).isTrue();
    String now = matcher.group(2) == null ? terminal : matcher.group(2);
    assertThat(Commands.execute("stty", "-a", "-F", now)).isEqualTo(settings);
    try (Peer at = new Peer(folder, "socat", "-", "OPEN:" + now + ",noctty")) {
      at.say("info status\n");
      at.hear(ANSWER);
    }
  }

  @Test
  void namedPipesAreOpenedAgain() throws Exception {
    machine.restore("base");
    try (Peer from = new Peer(folder, "cat", folder.resolve("pipe.out").toString())) {
      Files.writeString(folder.resolve("pipe.in"), "info status\n");
      from.hear(ANSWER);
    }
  }

  @Test
  void clientsCallAgain() throws Exception {
    int other = Machine.freePort();
    InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), other);
    ServerSocketChannel unix = unixPeer();
    ServerSocketChannel tcp = listen(ServerSocketChannel.open().bind(address));
    Path place = Files.createDirectory(folder.resolve("client"));
    try (Machine client =
        Machine.boot(
            vmckpt,
            place,
            "-chardev",
            "socket,id=uc,reconnect=1,path=" + folder.resolve("unix-peer"),
            "-chardev",
            "socket,id=tc,reconnect=1,host=127.0.0.1,port=" + other,
            "-mon",
            "uc",
            "-mon",
            "tc")) {
      try (SocketChannel byUnix = unix.accept();
          SocketChannel byTcp = tcp.accept()) {
        assertThat(Machine.status(byUnix)).isEqualTo("running");
        assertThat(Machine.status(byTcp)).isEqualTo("running");
        client.saveAndKill("client");
        assertThat(Talk.hungUp(byUnix)).isTrue();
        assertThat(Talk.hungUp(byTcp)).isTrue();
      }
      client.restore("client");
      try (SocketChannel byUnix = unix.accept();
          SocketChannel byTcp = tcp.accept()) {
        assertThat(Machine.status(byUnix)).isEqualTo("running");
        assertThat(Machine.status(byTcp)).isEqualTo("running");
      }
    }
  }

  @Test
  void standardInputAndOutputGoWhereTheUserSays() throws Exception {
    Path place = Files.createDirectory(folder.resolve("stdio"));
    Path in = place.resolve("in");
    Path out = place.resolve("out");
    Commands.execute("mkfifo", in.toString());
    Peer peer =
        new Peer(place, Machine.command(place, List.of(), "-chardev", "stdio,id=io", "-mon", "io"));
    try (peer;
        Machine console = Machine.of(vmckpt, place, peer.pid())) {
      peer.say("info status\n");
      peer.hear(ANSWER);
      console.saveAndKill("stdio");
      console.restore("stdio", "--reattach", "fd:0=" + in, "--reattach", "fd:1=" + out);
      Files.writeString(in, "info status\n");
      Health.await(ANSWER, () -> Files.exists(out) && Files.readString(out).contains(ANSWER));
    }
  }
}
