// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.MonitorRun;
import dev.vmckpt.ckpt.RunRequest;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.setup.SetupListener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** {@code vmckpt run}. */
@Command(
    name = "run",
    description = {
      "Starts a monitor and notes what it sets and KVM never tells back, until it is set up; then lets"
          + " go of it.",
      "Stays until the command ends, and ends with its exit status, or 128 and its signal."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "126:the command cannot be executed",
      "127:there is no such command",
      "*:else those of the command; with --detach those of vmckpt"
    },
    footer = {
      "",
      "Example:",
      "  vmckpt run -- qemu-system-x86_64 -accel kvm -m 1024 -drive file=disk.qcow2",
      "  vmckpt run --detach -- firecracker --config-file vm.json"
    })
final class RunCommand extends AbstractCommand {
  private static final int NOT_EXECUTABLE = 126;
  private static final int NOT_FOUND = 127;

  @Parameters(
      paramLabel = "COMMAND",
      arity = "1..*",
      description = "The monitor and its arguments, behind --.")
  List<String> command = new ArrayList<>();

  @Option(
      names = {"-d", "--detach"},
      description = "End once everything is recorded, and leave the command running.")
  boolean detach;

  @Option(
      names = "--quiet",
      paramLabel = "SECONDS",
      description =
          "How long nothing must have been set after every vcpu runs; default ${DEFAULT-VALUE}.")
  double quiet = 1;

  @Option(
      names = "--limit",
      paramLabel = "SECONDS",
      description = "Let go after this time in any case; default ${DEFAULT-VALUE}.")
  double limit = 60;

  RunCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    if (!(quiet >= 0 && limit >= 0)) {
      throw new ParameterException(
          Main.commandLine(session), "--quiet and --limit are seconds, 0 or more");
    }
    List<SetupListener> listeners = new ArrayList<>();
    for (SetupListener listener : ServiceLoader.load(SetupListener.class)) {
      listeners.add(listener);
    }
    MonitorRun run;
    try {
      run =
          MonitorRun.start(
              new RunRequest(
                  Caller.command(command),
                  Caller.environment(session.environment()),
                  Caller.inherited(session.environment()),
                  seconds(quiet),
                  seconds(limit)),
              listeners);
    } catch (SyscallException e) {
      new Failures(session, json, debug).report(e);
      return e.errno() == Errno.ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
    }
    Signals.redirect(run::forward);
    MonitorRun.@Nullable Outcome outcome = recorded(run);
    if (!detach) {
      return run.awaitExit();
    }
    if (outcome == null) {
      return ExitCode.FAILED.code();
    }
    report(run, outcome);
    return outcome.failures().isEmpty()
        ? ExitCode.DONE.code()
        : outcome.failures().get(0).exitCode().code();
  }

  /** What was recorded, or null: the command goes on in any case. */
  private MonitorRun.@Nullable Outcome recorded(MonitorRun run) {
    MonitorRun.Outcome outcome;
    try {
      outcome = run.awaitRecorded();
    } catch (RuntimeException e) {
      new Failures(session, false, debug).report(e);
      return null;
    }
    for (VmckptException failure : outcome.failures()) {
      new Failures(session, false, debug).report(failure);
    }
    return outcome;
  }

  private static Duration seconds(double seconds) {
    return Duration.ofMillis((long) Math.min(seconds * 1000, Integer.MAX_VALUE));
  }

  private void report(MonitorRun run, MonitorRun.Outcome outcome) {
    StringBuilder text = new StringBuilder();
    List<Object> kept = new ArrayList<>();
    for (SetupListener.Kept each : outcome.kept()) {
      kept.add(each);
      text.append(each.pid()).append("  ").append(each.what()).append('\n');
    }
    if (kept.isEmpty()) {
      notes(List.of("nothing was recorded: the command has set up no virtual machine"));
      text.append(run.pid());
    }
    print(
        new Fields().put("pid", run.pid()).put("settled", outcome.settled()).put("recorded", kept),
        text.toString());
  }
}
