// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Images;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** A QEMU with a guest in it, and the process that it was restored into last. */
final class Qemu implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Before one is booted. */
  static final Qemu NONE = new Qemu(Path.of("/nonexistent"), Beats.linux(Path.of("/nonexistent")));

  private final Path folder;
  private final Beats beats;
  private final List<Integer> started = new ArrayList<>();
  private int pid;

  private Qemu(Path folder, Beats beats) {
    this.folder = folder;
    this.beats = beats;
  }

  /**
   * Boots the Linux guest: two cpus, a disk, a network, a monitor at {@code qmp}.
   *
   * @param memoryMib of the guest; half of it is filled and verified
   */
  static Qemu linux(Path folder, int memoryMib, String... more) throws IOException {
    Path disk = folder.resolve("disk.raw");
    Files.copy(Images.linuxDisk(), disk, StandardCopyOption.REPLACE_EXISTING);
    return linuxOn("file=" + disk + ",format=raw", folder, memoryMib, more);
  }

  /**
   * The same with another disk.
   *
   * @param drive its file, its format, and whatever else {@code -drive} may be told
   */
  static Qemu linuxOn(String drive, Path folder, int memoryMib, String... more) {
    List<String> options =
        new ArrayList<>(
            List.of(
                "-accel",
                "tcg,thread=multi",
                "-smp",
                "2",
                "-m",
                "" + memoryMib,
                "-kernel",
                Images.vmlinuz().toString(),
                "-initrd",
                Images.initramfs().toString(),
                "-append",
                "console=ttyS0 quiet loglevel=3 vmckpt.verify=200 vmckpt.dirty=16 vmckpt.mem="
                    + memoryMib / 2,
                "-drive",
                drive + ",if=virtio",
                "-netdev",
                "user,id=n0,hostfwd=tcp:127.0.0.1:0-:22",
                "-device",
                "virtio-net-pci,netdev=n0,romfile=",
                "-qmp",
                "unix:" + folder.resolve("qmp") + ",server=on,wait=off"));
    options.addAll(Arrays.asList(more));
    return new Qemu(folder, Beats.linux(folder.resolve("serial"))).boot(options);
  }

  /** Boots the self-check guest. */
  static Qemu selfcheck(Path folder, String... options) throws IOException {
    List<String> all =
        new ArrayList<>(
            List.of(
                "-m",
                "256",
                "-drive",
                "file=" + Images.selfcheck() + ",format=raw,if=virtio,readonly=on"));
    all.addAll(Arrays.asList(options));
    return new Qemu(folder, Beats.selfcheck(folder.resolve("serial"))).boot(all);
  }

  private Qemu boot(List<String> options) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "qemu-system-x86_64",
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
                "-serial",
                "file:" + folder.resolve("serial")));
    command.addAll(options);
    is(Detached.start(folder.resolve("qemu.words"), command));
    return this;
  }

  /** It goes on in another process. */
  void is(int restored) {
    pid = restored;
    started.add(restored);
  }

  int pid() {
    return pid;
  }

  Path folder() {
    return folder;
  }

  /** What the guest says. */
  Beats beats() {
    return beats;
  }

  /** The name of the descriptor of a file or a UNIX socket of that name, or of a TCP socket. */
  String descriptor(Vmckpt vmckpt, String name) throws Exception {
    Run run = vmckpt.ok("inspect", "" + pid, "--json");
    String wanted = name.contains(":") ? name : folder.resolve(name).toString();
    for (Object each : (List<?>) Objects.requireNonNull(run.object().get("resources"))) {
      Map<?, ?> resource = (Map<?, ?>) each;
      String text = resource + ",";
      int at = text.indexOf(wanted);
      // Not the beginning of a longer name.
      if (at >= 0
          && (name.contains(":") || " ,}".indexOf(text.charAt(at + wanted.length())) >= 0)) {
        String numbers = String.valueOf(resource.get("name"));
        return numbers.contains(",") ? numbers.substring(0, numbers.indexOf(',')) : numbers;
      }
    }
    throw new AssertionError("nothing is open at " + name + ": " + run.out());
  }

  /** Waits for so many more lines without error. */
  void awaitMore(int lines) {
    beats.awaitMore(pid, lines);
  }

  /** Ends the process; the guest may come back by a restore. */
  void kill() {
    Detached.kill(pid);
  }

  @Override
  public void close() throws IOException {
    for (int each : started) {
      // A number may have been given to somebody else by now.
      if (isOurs(each)) {
        Detached.kill(each);
      }
    }
  }

  private boolean isOurs(int each) {
    try {
      String command =
          new String(
              Files.readAllBytes(Path.of("/proc/" + each + "/cmdline")),
              StandardCharsets.ISO_8859_1);
      return command.contains(folder.toString());
    } catch (IOException gone) {
      return false;
    }
  }

  /** The monitor at a path. */
  static Qmp monitor(Path path) {
    return Qmp.connect(path, PATIENCE);
  }

  /** Asks a monitor how its guest is: {@code running}, {@code paused}. */
  static String status(Path path) {
    try (Qmp monitor = monitor(path)) {
      return status(monitor);
    }
  }

  /** Asks a monitor how its guest is: {@code running}, {@code paused}. */
  static String status(Qmp monitor) {
    return monitor.execute("query-status").path("status").asText();
  }
}
