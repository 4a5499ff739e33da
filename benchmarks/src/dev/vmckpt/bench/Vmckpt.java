// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** vmckpt, as a user runs it: the launcher, from the shell. */
final class Vmckpt implements Method {
  private final String name;
  private final Load load;
  private final List<String> flags;
  private final boolean restored;

  Vmckpt(String name, Load load, boolean restored, String... flags) {
    this.name = name;
    this.load = load;
    this.restored = restored;
    this.flags = List.of(flags);
  }

  @Override
  public String name() {
    return name;
  }

  private static Map<String, Object> run(Bench bench, List<String> words) {
    List<String> command = new ArrayList<>();
    command.add(bench.root().resolve("vmckpt").toString());
    command.addAll(words);
    command.addAll(List.of("--json", "--store", bench.work().resolve("store").toString()));
    Processes.Ended ended = Processes.run(command);
    if (ended.status() != 0) {
      throw new IllegalStateException(
          String.join(" ", words) + ": " + ended.errors().strip() + ended.output().strip());
    }
    return Json.object(ended.output());
  }

  private static double number(Map<String, Object> result, String field) {
    return ((Number) result.get(field)).doubleValue();
  }

  @Override
  public void round(Bench bench, Samples samples) {
    try (Guest guest = Guest.boot(bench, load)) {
      bench.quiet(samples, guest.process());
      guest.qmp().forgetEvents();
      List<String> words = new ArrayList<>(List.of("snapshot", Long.toString(guest.pid())));
      words.addAll(flags);
      long begun = System.nanoTime();
      Map<String, Object> saved = run(bench, words);
      long ended = System.nanoTime();
      samples.add(name, "pauseMillis", number(saved, "pauseMillis"));
      samples.add(name, "stillMillis", guest.qmp().stillMillis());
      samples.add(name, guest.console().longestSilence(begun, ended + 50_000_000));
      samples.add(name, "durableMillis", (ended - begun) / 1e6);
      samples.add(name, "insideMillis", number(saved, "totalMillis"));
      samples.add(name, "bytes", number(saved, "imageBytes"));
      samples.add(name, "diskInPauseBytes", number(saved, "copiedInPauseBytes"));
      checkLater(guest, samples, name);
      guest.kill();
      if (restored) {
        new PlainWrite(name).once(bench, samples, (long) number(saved, "imageBytes"));
        String id = (String) saved.get("snapshot");
        restore(bench, samples, guest, id, "lazy", List.of());
        restore(bench, samples, guest, id, "eager", List.of("--eager"));
      }
    } finally {
      Path store = bench.work().resolve("store");
      if (store.toFile().isDirectory()) {
        Bench.empty(store);
      }
    }
  }

  private void restore(
      Bench bench, Samples samples, Guest guest, String id, String how, List<String> flags) {
    String method = name + " restore " + how;
    bench.quiet(samples);
    List<String> words = new ArrayList<>(List.of("restore", id));
    words.addAll(flags);
    long begun = System.nanoTime();
    Map<String, Object> result = run(bench, words);
    long ended = System.nanoTime();
    guest.cameBackAs((Long) result.get("pid"));
    long alive = guest.console().awaitLife(begun);
    samples.add(method, "lifeMillis", (alive - begun) / 1e6);
    samples.add(method, "insideMillis", number(result, "totalMillis"));
    samples.add(method, "engineMillis", number(result, "restoreMillis"));
    samples.add(method, "shellMillis", (ended - begun) / 1e6);
    checkRestored(guest, samples, method, alive);
    guest.kill();
  }

  private static final long WATCHED_MILLIS = 1500;

  /** A fast way that loses a page is no way. */
  static void checkLater(Guest guest, Samples samples, String method) {
    Processes.sleep(WATCHED_MILLIS);
    String complaint = guest.console().complaint();
    if (!complaint.isEmpty()) {
      samples.fault(method, "the guest found: " + complaint);
    }
  }

  /** Also how evenly the guest goes on after its first word. */
  static void checkRestored(Guest guest, Samples samples, String method, long alive) {
    checkLater(guest, samples, method);
    samples.add(
        method,
        "hiccupMillis",
        guest.console().longestSilence(alive, alive + WATCHED_MILLIS * 1_000_000).millis());
  }
}
