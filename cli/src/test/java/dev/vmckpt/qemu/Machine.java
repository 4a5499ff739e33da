// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Images;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpConnectException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A small QEMU for the sake of what it is connected to, and the process that it was restored into
 * last. Its guest is the firmware alone, unless the options say otherwise.
 */
final class Machine implements AutoCloseable {
  private static final Pattern REMEDY = Pattern.compile("--reattach (fd:\\d+)=");
  private static final Pattern STATUS = Pattern.compile("VM status: (\\w+)");

  private final Vmckpt vmckpt;
  private final Path folder;
  private final List<Integer> started = new ArrayList<>();
  private int pid;

  private Machine(Vmckpt vmckpt, Path folder) {
    this.vmckpt = vmckpt;
    this.folder = folder;
  }

  /** Before one is booted. */
  static Machine none(Vmckpt vmckpt) {
    return new Machine(vmckpt, Path.of("/nonexistent"));
  }

  /** Starts one and waits until it has opened everything. */
  static Machine boot(Vmckpt vmckpt, Path folder, String... options) {
    return boot(vmckpt, folder, List.of(), options);
  }

  /**
   * Starts one and waits until it has opened everything.
   *
   * @param prefix the beginning of the command line: a program that executes the rest of it
   */
  static Machine boot(Vmckpt vmckpt, Path folder, List<String> prefix, String... options) {
    Machine machine = new Machine(vmckpt, folder);
    machine.is(Detached.start(folder.resolve("machine.words"), command(folder, prefix, options)));
    boolean ready = false;
    try {
      machine.awaitReady();
      ready = true;
      return machine;
    } finally {
      if (!ready) {
        machine.close();
      }
    }
  }

  /** One that was started otherwise. */
  static Machine of(Vmckpt vmckpt, Path folder, int pid) {
    Machine machine = new Machine(vmckpt, folder);
    machine.is(pid);
    machine.awaitReady();
    return machine;
  }

  /** The command line of one. */
  static List<String> command(Path folder, List<String> prefix, String... options) {
    List<String> command = new ArrayList<>(prefix);
    command.addAll(
        List.of(
            "qemu-system-x86_64",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-accel",
            "tcg",
            "-m",
            "64"));
    command.addAll(Arrays.asList(options));
    command.addAll(List.of("-qmp", "unix:" + monitor(folder) + ",server=on,wait=off"));
    return command;
  }

  private static Path monitor(Path folder) {
    return folder.resolve("machine.qmp");
  }

  /** Its monitor answers when QEMU has opened everything. */
  private void awaitReady() {
    Health.await(
        "QEMU in " + folder,
        () -> {
          if (!Detached.alive(pid)) {
            throw new AssertionError("QEMU ended: " + words());
          }
          return Files.exists(monitor(folder)) && isListening();
        });
  }

  /** Between bind and listen its path is there, and nobody behind it. */
  private boolean isListening() {
    try {
      return !Qemu.status(monitor(folder)).isEmpty();
    } catch (QmpConnectException e) {
      return false;
    }
  }

  /** It goes on in another process. */
  void is(int process) {
    pid = process;
    started.add(process);
  }

  int pid() {
    return pid;
  }

  /**
   * The options of a Linux guest with a network card of the network {@code n}, and no test of
   * memory or disk.
   */
  static List<String> linux(Path serial, String... parameters) {
    return List.of(
        "-m",
        "96",
        "-kernel",
        Images.vmlinuz().toString(),
        "-initrd",
        Images.initramfs().toString(),
        "-append",
        "console=ttyS0 quiet loglevel=3 vmckpt.mem=0 vmckpt.disk=0 vmckpt.tick=1000 "
            + String.join(" ", parameters),
        "-serial",
        "file:" + serial,
        "-device",
        "virtio-net-pci,netdev=n,romfile=");
  }

  /** A connection to its monitor. */
  Qmp monitor() {
    return Qemu.monitor(monitor(folder));
  }

  /** What QEMU has said. */
  String words() throws IOException {
    Path words = folder.resolve("machine.words");
    return Files.exists(words) ? Files.readString(words) : "";
  }

  /** Saves and kills it. */
  Run saveAndKill(String name, String... more) throws Exception {
    List<String> words = new ArrayList<>(List.of("snapshot", "" + pid, "--name", name, "--json"));
    words.addAll(List.of(more));
    Run run = vmckpt.ok(words.toArray(new String[0]));
    Health.awaitUntouched(pid);
    kill();
    return run;
  }

  void kill() {
    Detached.kill(pid);
  }

  /** Brings it back. */
  Run restore(String name, String... more) throws Exception {
    List<String> words = new ArrayList<>(List.of("restore", name, "--json"));
    words.addAll(List.of(more));
    Run run = vmckpt.ok(words.toArray(new String[0]));
    is(run.number("pid"));
    return run;
  }

  /** Brings it back unless somebody has. */
  void restoreIfGone(String name) throws Exception {
    if (!Detached.alive(pid)) {
      restore(name);
    }
  }

  /** The descriptor that a refused restore says may go elsewhere. */
  static String movable(Run refused) {
    Matcher matcher = REMEDY.matcher(refused.err());
    if (!matcher.find()) {
      throw new AssertionError("no remedy in: " + refused.err());
    }
    return matcher.group(1);
  }

  /** A connection to a port of this machine. */
  static SocketChannel connect(int port) throws IOException {
    return SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
  }

  /** Asks the monitor at the other end of a connection whether the guest runs. */
  static String status(SocketChannel channel) throws IOException {
    channel.write(StandardCharsets.UTF_8.encode("info status\n"));
    String heard = Talk.hear(channel, "VM status: running");
    Matcher matcher = STATUS.matcher(heard);
    return matcher.find() ? matcher.group(1) : heard;
  }

  /** A port that nobody has. */
  static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return free.getLocalPort();
    }
  }

  @Override
  public void close() {
    for (int each : started) {
      // A number may have been given to somebody else by now.
      if (isOurs(each)) {
        Detached.kill(each);
      }
    }
  }

  private boolean isOurs(int each) {
    try {
      return new String(
              Files.readAllBytes(Path.of("/proc/" + each + "/cmdline")),
              StandardCharsets.ISO_8859_1)
          .contains(folder.toString());
    } catch (IOException gone) {
      return false;
    }
  }
}
