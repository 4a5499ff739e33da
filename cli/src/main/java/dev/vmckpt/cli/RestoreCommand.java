// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Checkpointer;
import dev.vmckpt.ckpt.Processes;
import dev.vmckpt.ckpt.RestoreRequest;
import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.guest.OtherQemu;
import dev.vmckpt.qemu.machine.MachineStarter;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.store.Store;
import dev.vmckpt.store.Stored;
import dev.vmckpt.store.Work;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code vmckpt restore}. */
@Command(
    name = "restore",
    description = "Brings a snapshot back: the process goes on where it was.",
    footer = {
      "",
      "Example:",
      "  vmckpt restore web",
      "  vmckpt restore web --foreground --reattach fd:1=/tmp/console.log",
      "  vmckpt restore web --in-place --reattach libvirt=adopt",
      "  vmckpt restore web --on qemu --accel kvm --reattach netdev:n0=user"
    })
final class RestoreCommand extends AbstractCommand {
  @Parameters(
      paramLabel = "ID",
      description = "A snapshot: its id, the beginning of its id, or its name.")
  String word = "";

  @Option(
      names = {"-f", "--foreground"},
      description =
          "Stay until the process ends, and end with its exit status. Ctrl-C and SIGTERM are passed"
              + " on as SIGTERM.")
  boolean foreground;

  @Option(
      names = "--eager",
      description = "Read all memory at once instead of page by page when it is needed.")
  boolean eager;

  @Option(
      names = "--in-place",
      description =
          "Put saved disks back under their original paths, over what is there now; else the"
              + " process gets a copy of its own.")
  boolean inPlace;

  @Option(
      names = "--reattach",
      paramLabel = "KEY=VALUE",
      description =
          "Attach a connection to something else, for example fd:1=/tmp/console.log; libvirt=adopt"
              + " gives a domain back to libvirt. Of what was unplugged: chardev:ID=PATH,"
              + " unplugged:ID=none. With --on qemu: netdev:ID, chardev:ID, disk:PATH.")
  Map<String, String> reattach = new LinkedHashMap<>();

  @Option(
      names = "--on",
      paramLabel = "qemu",
      description =
          "Start another QEMU from the machine that 'snapshot --machine' kept, instead of bringing"
              + " back the process: slower, and not bound to this kernel, this program or this"
              + " accelerator.")
  @Nullable String on;

  @Option(
      names = "--binary",
      paramLabel = "PATH",
      description = "With --on qemu: the program; else the one that ran.")
  @Nullable Path binary;

  @Option(
      names = "--accel",
      paramLabel = "tcg|kvm",
      description = "With --on qemu: the accelerator; else the one it had.")
  @Nullable String accel;

  @Option(
      names = "--cpu",
      paramLabel = "MODEL",
      description = "With --on qemu: the processor, as -cpu has it; else the one it had.")
  @Nullable String cpu;

  @Option(
      names = "--without",
      paramLabel = "FEATURE",
      split = ",",
      description =
          "With --on qemu: features of the processor that the guest does not use, so that the new"
              + " one may lack them; kvm stands for all that KVM offers by itself.")
  Set<String> without = new TreeSet<>();

  RestoreCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    long begun = System.nanoTime();
    Store store = store();
    Stored stored = store.find(word);
    if (on != null || binary != null || accel != null || cpu != null || !without.isEmpty()) {
      return startAnother(store, stored, begun);
    }
    Checkpointer checkpointer = checkpointer();
    Restored restored;
    try (TerminalProgress progress = new TerminalProgress(session);
        Work work = store.work(stored)) {
      store.check(stored, progress);
      restored =
          checkpointer.restore(
              new RestoreRequest(
                  stored.folder(),
                  stored.manifest(),
                  work.folder(),
                  !eager,
                  inPlace,
                  Map.copyOf(reattach)),
              progress);
      work.keep();
    }
    report(stored, restored, microsSince(begun));
    int code = foreground ? stayWith(checkpointer, restored) : ExitCode.DONE.code();
    store.sweepWork();
    return code;
  }

  private int startAnother(Store store, Stored stored, long begun) {
    if (on == null) {
      throw new UsageException("--binary, --accel, --cpu and --without go with --on qemu");
    }
    if (!on.equals("qemu")) {
      throw new UsageException("--on " + on + " is none: there is qemu");
    }
    if (foreground || eager || inPlace) {
      throw new UsageException("--on qemu goes without --foreground, --eager and --in-place");
    }
    OtherQemu.Wish wish =
        new OtherQemu.Wish(binary == null ? null : program(binary), accel, cpu, without, reattach);
    MachineStarter.Started started;
    try (TerminalProgress progress = new TerminalProgress(session);
        Work work = store.work(stored)) {
      store.check(stored, progress);
      started =
          new OtherQemu(stored.folder(), stored.manifest().processes().get(0))
              .start(wish, work.folder());
      work.keep();
    }
    notes(started.notes());
    print(
        new Fields()
            .put("snapshot", stored.id())
            .put("name", stored.manifest().name())
            .put("pid", started.pid())
            .put("monitor", started.monitor().toString())
            .put("totalMillis", millis(microsSince(begun)))
            .put("memoryBytes", started.memoryBytes())
            .put("notes", started.notes()),
        started.pid()
            + "  "
            + stored.title()
            + "  another QEMU, "
            + Humans.bytes(started.memoryBytes())
            + ", monitor "
            + started.monitor());
    store.sweepWork();
    return ExitCode.DONE.code();
  }

  /** A name alone is looked up where a shell would look it up. */
  private Path program(Path named) {
    if (named.getNameCount() == 1 && !named.isAbsolute()) {
      for (String each : session.environment().getOrDefault("PATH", "").split(":", -1)) {
        if (!each.isEmpty() && Files.isExecutable(Path.of(each).resolve(named))) {
          return Path.of(each).resolve(named).toAbsolutePath();
        }
      }
    }
    return named.toAbsolutePath();
  }

  /** Waits for its end; what ends us before (Ctrl-C, SIGTERM) ends the process as well. */
  private static int stayWith(Checkpointer checkpointer, Restored restored) {
    Thread passOn = new Thread(() -> Processes.terminate(restored.pid()), "pass-on");
    Runtime.getRuntime().addShutdownHook(passOn);
    int code = checkpointer.awaitExit(restored);
    try {
      Runtime.getRuntime().removeShutdownHook(passOn);
    } catch (IllegalStateException ending) {
      // We are being ended ourselves: the hook has passed it on.
      return code;
    }
    return code;
  }

  private void report(Stored stored, Restored restored, long totalMicros) {
    Fields fields =
        new Fields()
            .put("snapshot", stored.id())
            .put("name", stored.manifest().name())
            .put("pid", restored.pid())
            .put("innerPid", restored.innerPid())
            .put("supervisor", restored.supervisor())
            .put("totalMillis", millis(totalMicros))
            .put("restoreMillis", millis(restored.micros()))
            .put("lazy", restored.lazy())
            .put("notes", restored.notes());
    notes(restored.notes());
    print(
        fields,
        restored.pid()
            + "  "
            + stored.title()
            + "  "
            + Humans.micros(restored.micros())
            + (restored.lazy() ? "  lazy" : "  eager"));
  }
}
