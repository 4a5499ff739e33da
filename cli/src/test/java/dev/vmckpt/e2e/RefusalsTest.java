// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.Inspection.Resource;
import dev.vmckpt.ckpt.Inspection.Verdict;
import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.ckpt.trace.Tracee;
import dev.vmckpt.ckpt.trace.TracerThread;
import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Target;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What cannot be saved is refused by name, with what can be done; nothing is touched before. */
class RefusalsTest {
  @TempDir Path folder = Path.of("/nonexistent");
  private final List<Integer> started = new ArrayList<>();

  private int start(String... command) {
    int pid = Detached.start(folder.resolve("words"), List.of(command));
    started.add(pid);
    return pid;
  }

  @AfterEach
  void end() {
    for (int pid : started) {
      Detached.kill(pid);
    }
  }

  private static RefusedException refused(Workshop workshop, int pid) {
    RefusedException refusal =
        catchThrowableOfType(RefusedException.class, () -> workshop.snapshot(pid));
    assertThat(refusal).isNotNull();
    assertThat(refusal.exitCode()).isEqualTo(ExitCode.REFUSED);
    assertThat(refusal.refusals()).allMatch(each -> !each.remedy().isEmpty());
    assertThat(workshop.store().list()).isEmpty();
    assertThat(Detached.state(pid)).isIn('S', 'R', 't');
    return refusal;
  }

  private static List<String> names(RefusedException refusal) {
    List<String> names = new ArrayList<>();
    for (Refusal each : refusal.refusals()) {
      names.add(each.resource());
    }
    return names;
  }

  @Test
  void aDescriptorThatNobodyCarriesCanBeDropped() throws Exception {
    Path watched = Files.writeString(folder.resolve("watched"), "one\n");
    int pid = start("tail", "-n", "+1", "-f", watched.toString());
    String inotify = await(pid, "anon_inode:inotify");
    try (Workshop workshop = new Workshop(folder)) {
      assertThat(names(refused(workshop, pid))).anyMatch(name -> name.startsWith(inotify + " "));
      assertThat(workshop.inspect(pid).savable()).isFalse();
      assertThat(workshop.inspect(pid).resources())
          .filteredOn(each -> each.verdict() == Verdict.REFUSED)
          .extracting(Resource::name)
          .containsExactly(inotify);

      Stored saved = workshop.snapshot(pid, null, inotify);
      Detached.kill(pid);
      Restored restored = workshop.restore(saved);
      assertThat(restored.pid()).isEqualTo(pid);
      // It ends by itself when it looks there.
      assertThat(restored.notes()).anyMatch(note -> note.contains(inotify));
    }
  }

  @Test
  void aDropOfNothingIsWrongUsage() {
    int pid = start("sleep", "1000");
    try (Workshop workshop = new Workshop(folder)) {
      UsageException wrong =
          catchThrowableOfType(UsageException.class, () -> workshop.snapshot(pid, null, "fd:77"));
      assertThat(wrong).hasMessageContaining("fd:77");
    }
  }

  @Test
  void aDeviceThatNobodyCarries() throws Exception {
    Path device = Path.of("/dev/fuse");
    assumeTrue(Files.isReadable(device), "this machine has no " + device + " to open");
    int pid = start("sh", "-c", "exec 9<>" + device + "; exec sleep 1000");
    String fd = await(pid, device.toString());
    try (Workshop workshop = new Workshop(folder)) {
      assertThat(names(refused(workshop, pid))).anyMatch(name -> name.startsWith(fd + " "));
      Stored saved = workshop.snapshot(pid, null, fd);
      Detached.kill(pid);
      assertThat(Detached.alive(workshop.restore(saved).pid())).isTrue();
    }
  }

  @Test
  void aChild() throws Exception {
    int pid = start("sh", "-c", "sleep 1000 & wait");
    Path children = Path.of("/proc/" + pid + "/task/" + pid + "/children");
    String child = Files.readString(children).strip();
    while (child.isEmpty()) {
      Thread.sleep(5);
      child = Files.readString(children).strip();
    }
    started.add(Integer.parseInt(child));
    String name = "child:" + child;
    try (Workshop workshop = new Workshop(folder)) {
      assertThat(names(refused(workshop, pid))).anyMatch(each -> each.startsWith(name));
    }
  }

  @Test
  void oneThatIsTracedAlready() {
    try (Workshop workshop = new Workshop(folder);
        TracerThread other = new TracerThread();
        Target target = Target.start(folder, "eventfd")) {
      Tracee held = other.run(() -> Objects.requireNonNull(Husk.stopped(target.pid())));
      RefusedException refusal = refused(workshop, target.pid());
      assertThat(refusal.refusals())
          .anyMatch(each -> each.why().contains("being traced by process"));
      other.run(
          () -> {
            held.detach();
            return held;
          });
      target.awaitPasses(3);
      assertThat(target.errors()).isEmpty();
    }
  }

  @Test
  void oneThatIsNotThere() {
    int pid = start("sleep", "1000");
    Detached.kill(pid);
    try (Workshop workshop = new Workshop(folder)) {
      assertThat(catchThrowableOfType(TargetGoneException.class, () -> workshop.snapshot(pid)))
          .isNotNull();
      assertThat(workshop.store().list()).isEmpty();
    }
  }

  @Test
  void aMappedFileThatChangedStandsInTheWayOfARestore() throws IOException {
    Path program = Files.copy(Path.of("/bin/sleep"), folder.resolve("nap"));
    int pid = start(program.toString(), "1000");
    try (Workshop workshop = new Workshop(folder)) {
      Stored saved = workshop.snapshot(pid);
      Detached.kill(pid);
      Files.delete(program);
      RefusedException refusal =
          catchThrowableOfType(
              RefusedException.class, () -> workshop.restore(saved, true, false, Map.of()));
      assertThat(names(refusal)).containsExactly("file " + program);
      assertThat(Detached.alive(pid)).isFalse();
    }
  }

  /** Waits until a process has something open; the name of its descriptor. */
  private static String await(int pid, String target) throws Exception {
    for (int round = 0; round < 2000; round++) {
      String[] numbers = Path.of("/proc/" + pid + "/fd").toFile().list();
      for (String number : numbers == null ? new String[0] : numbers) {
        try {
          Path link = Files.readSymbolicLink(Path.of("/proc/" + pid + "/fd/" + number));
          if (link.toString().equals(target)) {
            return "fd:" + number;
          }
        } catch (IOException e) {
          // Closed meanwhile.
        }
      }
      Thread.sleep(5);
    }
    throw new AssertionError("process " + pid + " never opened " + target);
  }
}
