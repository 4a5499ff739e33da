// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Images;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Guests in real mode under KVM that wait for a key, saved and brought back while they wait. Keys
 * are pressed by QEMU's monitor; what SeaBIOS says is read at its debugging port.
 */
class PromptsTest {
  @TempDir Path folder = Path.of("/nonexistent");
  private int pid;

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @AfterEach
  void end() {
    if (pid != 0) {
      Detached.kill(pid);
    }
  }

  @Test
  void ofSeaBios() throws Exception {
    Path debug = folder.resolve("debug");
    boot(
        Images.selfcheck(),
        "-boot",
        "menu=on,splash-time=65000",
        "-chardev",
        "file,id=debug,path=" + debug,
        "-device",
        "isa-debugcon,iobase=0x402,chardev=debug");
    awaitWord(debug, 0, "Press ESC for boot menu");
    long mark = saveKillAndRestore("splash", debug);
    press("esc");
    awaitWord(debug, mark, "Select boot device:");
    awaitWord(debug, mark, "1. ");
    mark = saveKillAndRestore("menu", debug);
    press("1");
    awaitWord(debug, mark, "Booting from Hard Disk");
    Beats.selfcheck(folder.resolve("serial")).await(pid, 0, 5);
  }

  @Test
  @Tag("long")
  void ofGrub() throws Exception {
    Path serial = folder.resolve("serial");
    boot(Images.grub());
    awaitWord(serial, 0, "grub> ");
    long mark = saveKillAndRestore("prompt", serial);
    // GRUB runs in emulated real mode and takes its time: a keyboard holds few keys.
    for (String key : List.of("e", "c", "h", "o", "spc", "h", "i", "ret")) {
      long before = Files.size(serial);
      press(key);
      Health.await("an echo of " + key, () -> Files.size(serial) > before);
    }
    awaitWord(serial, mark, "\n\rhi\n\r");
    awaitWord(serial, mark, "grub> ");
  }

  private void boot(Path disk, String... more) throws IOException {
    Path own = Files.copy(disk, folder.resolve("disk.img"));
    List<String> command =
        new ArrayList<>(
            List.of(
                "qemu-system-x86_64",
                "-nodefaults",
                "-display",
                "none",
                "-accel",
                "kvm",
                "-cpu",
                "host,-arch-capabilities",
                "-m",
                "128",
                "-drive",
                "file=" + own + ",format=raw,if=ide",
                "-serial",
                "file:" + folder.resolve("serial"),
                "-qmp",
                "unix:" + folder.resolve("qmp") + ",server=on,wait=off"));
    command.addAll(List.of(more));
    pid = Detached.start(folder.resolve("words"), command);
  }

  /** What is written behind the returned mark is of the restored one. */
  private long saveKillAndRestore(String name, Path log) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    vmckpt.ok("snapshot", "" + pid, "--name", name);
    Health.awaitUntouched(pid);
    Detached.kill(pid);
    long mark = Files.size(log);
    pid = vmckpt.ok("restore", name, "--json").number("pid");
    return mark;
  }

  /** Presses keys one after the other, by the names of QEMU's QKeyCode. */
  private void press(String... keys) {
    try (Qmp monitor = Qemu.monitor(folder.resolve("qmp"))) {
      for (String key : keys) {
        monitor.execute(
            "send-key",
            args -> args.putArray("keys").addObject().put("type", "qcode").put("data", key));
      }
    }
  }

  private static void awaitWord(Path log, long mark, String word) {
    Health.await(
        word,
        () -> {
          byte[] all = Files.exists(log) ? Files.readAllBytes(log) : new byte[0];
          int from = (int) Math.min(mark, all.length);
          return new String(all, from, all.length - from, StandardCharsets.ISO_8859_1)
              .contains(word);
        });
  }
}
