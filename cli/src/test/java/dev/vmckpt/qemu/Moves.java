// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Guest;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A guest on its way from one QEMU to the next. */
final class Moves implements AutoCloseable {
  private final Vmckpt vmckpt;
  private @Nullable Guest guest;
  private Beats beats = Beats.linux(Path.of("/nonexistent"));

  Moves(Vmckpt vmckpt) {
    this.vmckpt = vmckpt;
  }

  /** Where it is now, and what it says. */
  void is(Guest now, Beats itsBeats) {
    guest = now;
    beats = itsBeats;
  }

  private Guest guest() {
    return Objects.requireNonNull(guest, "nothing was started");
  }

  int pid() {
    return guest().pid();
  }

  /** The words that its QEMU was started with. */
  List<String> commandLine() throws IOException {
    byte[] words = Files.readAllBytes(Path.of("/proc/" + pid() + "/cmdline"));
    return Arrays.asList(new String(words, StandardCharsets.UTF_8).split("\0", -1));
  }

  /**
   * Waits for so many more lines of the guest, from now on; none of them may tell of something
   * wrong. Its serial line goes on at its end wherever it goes.
   */
  void awaitGood(int lines) {
    beats.awaitMore(pid(), lines);
    assertThat(guest().errors()).isEmpty();
  }

  /** All that the guest has said. */
  String said() {
    return String.join("\n", guest().log().lines());
  }

  /** Saves it. */
  Run save(String name, String... more) throws Exception {
    return vmckpt.ok(words(List.of("snapshot", "" + pid(), "--name", name, "--json"), more));
  }

  /** Starts another QEMU from a snapshot, which must not be running any more. */
  Run restore(String name, String... more) throws Exception {
    Run run = vmckpt.ok(words(List.of("restore", name, "--on", "qemu", "--json"), more));
    guest = guest().as(run.number("pid"));
    return run;
  }

  /** Asks for another QEMU and is refused, with nothing left behind. */
  Run refused(String name, String... more) throws Exception {
    return vmckpt.fails(3, words(List.of("restore", name, "--on", "qemu"), more));
  }

  /** Brings back the process itself. */
  void bringBack(String name) throws Exception {
    guest = guest().as(vmckpt.ok("restore", name, "--json").number("pid"));
  }

  private static String[] words(List<String> first, String... more) {
    List<String> all = new ArrayList<>(first);
    all.addAll(List.of(more));
    return all.toArray(new String[0]);
  }

  /** Ends the QEMU it is in. */
  void end() {
    Detached.kill(pid());
  }

  @Override
  public void close() {
    if (guest != null) {
      end();
    }
  }
}
