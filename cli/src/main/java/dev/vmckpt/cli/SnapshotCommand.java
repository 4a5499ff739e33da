// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.Processes;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.store.Draft;
import dev.vmckpt.store.Stored;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code vmckpt snapshot}. */
@Command(
    name = "snapshot",
    description = "Saves a running process; it stands still for milliseconds and goes on.",
    footer = {
      "",
      "Example:",
      "  vmckpt snapshot qemu-system-x86_64 --name web --tag before-upgrade",
      "  vmckpt snapshot libvirt:web --name web",
      "  vmckpt snapshot 4242 --kill --json",
      "  vmckpt snapshot qemu-system-x86_64 --name web --machine",
      "  vmckpt snapshot qemu-system-x86_64 --name web --unplug gpu0"
    })
final class SnapshotCommand extends AbstractCommand {
  /** How memory is captured. */
  enum Capture {
    AUTO(null),
    FORK(CaptureFacts.Method.FORK),
    STOP(CaptureFacts.Method.STOP);

    final CaptureFacts.@Nullable Method method;

    Capture(CaptureFacts.@Nullable Method method) {
      this.method = method;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(paramLabel = "TARGET", description = Target.DESCRIPTION)
  String target = "";

  @Option(
      names = {"-n", "--name"},
      paramLabel = "NAME",
      description = "What to call the snapshot; unique in the store.")
  @Nullable String name;

  @Option(
      names = {"-t", "--tag"},
      paramLabel = "TAG",
      description = "A word about it; may be given several times.")
  List<String> tags = new ArrayList<>();

  @Option(
      names = "--drop",
      paramLabel = "fd:N",
      split = ",",
      description = "Leave a resource out that nobody carries, as 'vmckpt inspect' names it.")
  Set<String> drops = new TreeSet<>();

  @Option(
      names = "--capture",
      paramLabel = "HOW",
      description =
          "How memory is captured: ${COMPLETION-CANDIDATES}. fork splits the process in two by"
              + " copy-on-write, stop copies while it stands still.")
  Capture capture = Capture.AUTO;

  @Option(names = "--kill", description = "End the process once its snapshot is durable.")
  boolean kill;

  @Option(
      names = "--no-rehearsal",
      description =
          "Do not rehearse on a throwaway process first: done sooner, with a longer pause.")
  boolean noRehearsal;

  @Option(
      names = "--qmp",
      paramLabel = "PLACE",
      description =
          "Where QEMU's monitor is that stops the guest for the pause: a path, tcp:HOST:PORT, or"
              + " none to do without. By itself the one on QEMU's command line is found.")
  @Nullable String qmp;

  @Option(
      names = "--machine",
      description =
          "Keep what another QEMU needs too: the machine as QEMU describes it and the state of its"
              + " devices. 'restore --on qemu' starts one from it.")
  boolean machine;

  @Option(
      names = "--unplug",
      paramLabel = "DEVICE",
      split = ",",
      description =
          "Take a device of QEMU's off for the snapshot, by its id, because it cannot be carried;"
              + " it is plugged in again right after the pause, and where it is restored.")
  Set<String> unplug = new TreeSet<>();

  SnapshotCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    long begun = System.nanoTime();
    int pid = Target.pid(target);
    Captured captured;
    Stored stored;
    try (TerminalProgress progress = new TerminalProgress(session);
        Draft draft = store().begin(name, tags)) {
      captured =
          checkpointer()
              .snapshot(
                  new SnapshotRequest(
                      pid,
                      draft.folder(),
                      Set.copyOf(drops),
                      capture.method,
                      !noRehearsal,
                      options()),
                  progress);
      stored = draft.commit(captured, Version.number(), progress);
    }
    List<String> notes = new ArrayList<>(captured.notes());
    ExitCode code = kill ? end(pid, notes) : ExitCode.DONE;
    report(pid, stored, microsSince(begun), notes);
    return code.code();
  }

  /** What adapters are told. */
  private Map<String, String> options() {
    String monitor = qmp == null ? Target.monitor(target) : qmp;
    Map<String, String> options = new HashMap<>();
    if (!monitor.isEmpty()) {
      options.put("qmp", monitor);
    }
    if (!Target.domain(target).isEmpty()) {
      options.put("libvirt", Target.domain(target));
    }
    if (!unplug.isEmpty()) {
      options.put("unplug", String.join(",", unplug));
    }
    if (machine) {
      options.put("machine", "");
    }
    return Map.copyOf(options);
  }

  private static ExitCode end(int pid, List<String> notes) {
    try {
      Processes.kill(pid);
    } catch (TargetGoneException e) {
      // It ended by itself, which is what was wanted.
    } catch (VmckptException e) {
      notes.add("the snapshot is whole, but process " + pid + " goes on: " + e.getMessage());
      return e.exitCode();
    }
    return ExitCode.DONE;
  }

  private void report(int pid, Stored stored, long totalMicros, List<String> notes) {
    CaptureFacts facts = stored.manifest().capture();
    Fields fields =
        new Fields()
            .put("snapshot", stored.id())
            .put("name", stored.manifest().name())
            .put("pid", pid)
            .put("pauseMillis", millis(facts.pauseMicros()))
            .put("totalMillis", millis(totalMicros))
            .put("memoryBytes", facts.memoryBytes())
            .put("imageBytes", stored.imageBytes())
            .put("copiedInPauseBytes", facts.copiedInPauseBytes())
            .put("capture", facts.method())
            .put("captureReason", facts.reason())
            .put("machine", machine)
            .put("killed", kill)
            .put("folder", stored.folder().toString())
            .put("notes", notes);
    if (facts.method() == CaptureFacts.Method.STOP && !facts.reason().isEmpty()) {
      notes(List.of("memory was copied while the process stood still: " + facts.reason()));
    }
    notes(notes);
    String name = stored.manifest().name();
    print(
        fields,
        stored.id()
            + "  "
            + (name == null ? "-" : name)
            + "  pause "
            + Humans.micros(facts.pauseMicros())
            + "  "
            + Humans.bytes(facts.memoryBytes()));
  }
}
