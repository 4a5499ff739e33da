// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.store.Listed;
import dev.vmckpt.store.Store;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code kill -9} of a snapshot and of a restore at random instants: spread over a whole run, and
 * concentrated where the target is being traced. The seed is printed; {@code -Dvmckpt.seed=N} uses
 * one again, though no two runs are ever the same.
 */
abstract class SuddenDeath {
  private static final long LOOK_NANOS = 30_000;

  @TempDir Path folder = Path.of("/nonexistent");
  private final Random random = new Random(seed());
  private final Map<String, Integer> figures = new TreeMap<>();
  private long runNanos;

  /** How long a run holds the target at a time, in its order: a snapshot does for its pause. */
  private List<Long> holds = List.of();

  private static long seed() {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime() & 0xffffff);
    System.out.println("SuddenDeath: -Dvmckpt.seed=" + seed);
    return seed;
  }

  @AfterEach
  void print() {
    System.out.println("SuddenDeath: " + figures);
  }

  /** What is killed over and over, and how it tells that it goes on. */
  interface Victim {
    int pid();

    void awaitMore(int lines);

    /** Waits until whatever a killed vmckpt had begun in it is undone. */
    default void awaitUndone() {}
  }

  /** A process that writes lines. */
  record ProcessVictim(int pid, Beats beats) implements Victim {
    @Override
    public void awaitMore(int lines) {
      beats.awaitMore(pid, lines);
    }
  }

  /** A guest that is the same in another process. */
  record GuestVictim(Qemu guest) implements Victim {
    @Override
    public int pid() {
      return guest.pid();
    }

    @Override
    public void awaitMore(int lines) {
      guest.awaitMore(lines);
    }
  }

  void killSnapshots(Victim victim, int kills) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Vmckpt marked = vmckpt.marked();
    measure(vmckpt, victim.pid(), "snapshot", "" + victim.pid(), "--name", "measured", "--json");
    vmckpt.ok("rm", "measured");
    for (int i = 0, killed = 0; killed < kills; i++) {
      String name = "kill-" + i;
      Process run =
          marked.start(
              folder.resolve("killed.out"),
              folder.resolve("killed.err"),
              "snapshot",
              "" + victim.pid(),
              "--name",
              name);
      sleepToTheInstant(i, victim.pid(), run);
      boolean traced = traced(victim.pid());
      boolean late = !run.isAlive();
      kill(run, i);
      Health.awaitUntouched(victim.pid());
      victim.awaitUndone();
      victim.awaitMore(2);
      killed += late ? 0 : 1;
      count(
          late
              ? "came too late and do not count"
              : traced ? "killed while the target was held" : "killed at another instant");
      boolean listed = onlyWhole(vmckpt.store(), name);
      assertThat(listed || !late).isTrue();
      if (listed) {
        count("left a whole snapshot");
        vmckpt.ok("rm", name);
      }
      if (i % 10 == 9 || killed == kills) {
        next(vmckpt, victim);
      }
    }
    marked.awaitNoLeftovers();
    Health.awaitUntouched(victim.pid());
  }

  /** A snapshot after a killed one works, and has cleaned up behind it. */
  private void next(Vmckpt vmckpt, Victim victim) throws Exception {
    vmckpt.ok("snapshot", "" + victim.pid(), "--name", "next");
    vmckpt.ok("verify", "next");
    assertThat(names(vmckpt.store())).noneMatch(name -> name.startsWith(".tmp-"));
    vmckpt.ok("rm", "next");
    victim.awaitMore(2);
    count("next snapshot worked");
  }

  void killRestores(Qemu guest, int kills) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Vmckpt marked = vmckpt.marked();
    vmckpt.ok("snapshot", "" + guest.pid(), "--name", "base");
    guest.kill();
    guest.is(measure(vmckpt, guest.pid(), "restore", "base", "--json").number("pid"));
    guest.awaitMore(3);
    for (int i = 0; i < kills; i++) {
      guest.kill();
      int number = guest.pid();
      long mark = guest.beats().mark();
      Process run =
          marked.start(
              folder.resolve("killed.out"), folder.resolve("killed.err"), "restore", "base");
      sleepToTheInstant(i, number, run);
      boolean traced = traced(number);
      kill(run, i);
      settle(marked, guest, mark);
      count(traced ? "killed while the target was being built" : "killed at another instant");
      if (i % 5 == 4 || i == kills - 1 || Detached.alive(number)) {
        guest.kill();
        long again = guest.beats().mark();
        guest.is(vmckpt.ok("restore", "base", "--json").number("pid"));
        guest.beats().await(guest.pid(), again, 5);
        count("next restore worked");
      }
    }
    vmckpt.ok("verify", "base");
    guest.kill();
    marked.awaitNoLeftovers();
    vmckpt.ok("list");
    assertThat(names(vmckpt.store().resolve("work"))).isEmpty();
  }

  /**
   * The number of the target is taken, so each restore makes a pid namespace, with an init in it.
   */
  void killClones(Qemu guest, int kills) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Vmckpt marked = vmckpt.marked();
    vmckpt.ok("snapshot", "" + guest.pid(), "--name", "base");
    Path serial = Files.createFile(folder.resolve("clone"));
    String[] restore = {
      "restore", "base", "--reattach", guest.descriptor(vmckpt, "serial") + "=" + serial
    };
    Beats beats = Beats.selfcheck(serial);
    for (int i = 0; i <= kills; i++) {
      long mark = beats.mark();
      Process run =
          marked.start(folder.resolve("killed.out"), folder.resolve("killed.err"), restore);
      awaitChild(run);
      long begun = System.nanoTime();
      if (i == 0) {
        assertThat(run.waitFor()).isZero();
        runNanos = System.nanoTime() - begun;
      } else {
        // Before there is any other process, there is nothing to be left.
        sleepUntil(begun + (long) (runNanos * random.nextDouble()));
        kill(run, i);
      }
      Health.await(
          "a clone that is either ended or goes on",
          () -> marked.leftovers().isEmpty() || beats.lines(mark) >= 5);
      count(marked.leftovers().isEmpty() ? "nothing was left" : "the clone had been let go before");
      for (int left : marked.leftovers()) {
        Detached.kill(left);
      }
      guest.awaitMore(2);
      Health.awaitUntouched(guest.pid());
    }
  }

  /** After a killed restore there is nothing, or the whole guest if it had been let go before. */
  private void settle(Vmckpt marked, Qemu guest, long mark) {
    Health.await(
        "what a killed restore leaves",
        () -> {
          List<Integer> left = new ArrayList<>(marked.leftovers());
          left.remove((Integer) guest.pid());
          return left.isEmpty();
        });
    // What is being ended may still be there at the first look.
    Health.await(
        "a guest that is either ended or goes on",
        () -> !Detached.alive(guest.pid()) || guest.beats().lines(mark) >= 5);
    if (Detached.alive(guest.pid())) {
      Health.awaitUntouched(guest.pid());
      count("the guest had been let go before");
    }
  }

  /** One whole run: how long it takes, and how long it holds the target at a time. */
  private Run measure(Vmckpt vmckpt, int pid, String... arguments) throws Exception {
    Path out = folder.resolve("measured.out");
    Path err = folder.resolve("measured.err");
    long start = System.nanoTime();
    Process run = vmckpt.start(out, err, arguments);
    List<Long> spans = new ArrayList<>();
    for (awaitTraced(pid, run); run.isAlive(); awaitTraced(pid, run)) {
      long seized = System.nanoTime();
      awaitLetGo(pid, run);
      spans.add(System.nanoTime() - seized);
    }
    int code = run.waitFor();
    runNanos = System.nanoTime() - start;
    assertThat(code).as(Files.readString(err)).isZero();
    Run done = new Run(code, Files.readString(out), Files.readString(err));
    assertThat(spans).as("times when the target was held").isNotEmpty();
    holds = spans;
    System.out.println(
        "SuddenDeath: a run of "
            + runNanos / 1_000_000
            + " ms holds the target for these microseconds: "
            + spans.stream().map(nanos -> nanos / 1000).toList());
    return done;
  }

  /** Looks as often as it can until somebody traces the process, or the run is over. */
  private static void awaitTraced(int pid, Process run) {
    while (!traced(pid) && run.isAlive()) {
      // A sleeper is woken at once; who spins is made to wait when the processors are busy.
      LockSupport.parkNanos(LOOK_NANOS);
    }
  }

  private static void awaitLetGo(int pid, Process run) {
    while (traced(pid) && run.isAlive()) {
      LockSupport.parkNanos(LOOK_NANOS);
    }
  }

  /** Looks as often as it can until a run has made the first of its processes. */
  private static void awaitChild(Process run) {
    while (run.children().findAny().isEmpty() && run.isAlive()) {
      LockSupport.parkNanos(LOOK_NANOS);
    }
  }

  private static boolean traced(int pid) {
    try {
      return !Files.readString(Path.of("/proc/" + pid + "/status")).contains("TracerPid:\t0\n");
    } catch (IOException gone) {
      return false;
    }
  }

  private static void sleepUntil(long nanos) throws InterruptedException {
    long left = nanos - System.nanoTime();
    if (left > 0) {
      Thread.sleep(left / 1_000_000, (int) (left % 1_000_000));
    }
  }

  /** An odd one is to die while it traces the process, an even one at any instant of its run. */
  private void sleepToTheInstant(int number, int pid, Process run) throws InterruptedException {
    long start = System.nanoTime();
    if (number % 4 == 3 && !Detached.alive(pid)) {
      // A restore makes other processes before the one it restores into.
      awaitChild(run);
      sleepUntil(System.nanoTime() + (long) (Collections.max(holds) * random.nextDouble()));
    } else if (number % 2 == 1) {
      int longest = holds.indexOf(Collections.max(holds));
      int which = random.nextBoolean() ? longest : random.nextInt(holds.size());
      for (int i = 0; i < which; i++) {
        awaitTraced(pid, run);
        awaitLetGo(pid, run);
      }
      awaitTraced(pid, run);
      sleepUntil(System.nanoTime() + (long) (holds.get(which) * random.nextDouble()));
    } else {
      sleepUntil(start + (long) (runNanos * random.nextDouble()));
    }
  }

  /** By SIGKILL; each eighth by SIGTERM, which is what a user's Ctrl-C comes to. */
  private static void kill(Process run, int number) throws InterruptedException {
    if (number % 8 == 7) {
      run.destroy();
    }
    if (number % 8 != 7 || !run.waitFor(5, TimeUnit.SECONDS)) {
      run.destroyForcibly();
    }
    run.waitFor();
  }

  /** No snapshot is listed that is not whole; whether the named one is listed. */
  private static boolean onlyWhole(Path store, String name) throws IOException {
    boolean found = false;
    for (Listed each :
        Store.open(store, file -> List.of(), (place, pages, entry, progress) -> {}).list()) {
      assertThat(each.stored()).as("%s: %s", each.id(), each.fault()).isNotNull();
      if (each.stored() != null) {
        found |= name.equals(each.stored().manifest().name());
      }
    }
    return found;
  }

  private static List<String> names(Path folder) {
    String[] names = folder.toFile().list();
    return names == null ? List.of() : List.of(names);
  }

  private void count(String what) {
    figures.merge(what, 1, Integer::sum);
  }
}
