// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Processes;
import dev.vmckpt.ckpt.Understudy;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.VmckptException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * What the launcher runs once while the JVM notes which classes are used: every command, on a
 * throwaway process and in a throwaway store. Nothing of it is shown, and nothing of it has to
 * work.
 */
@Command(name = "warm-up", hidden = true, description = "Run by the launcher after a build.")
final class WarmUpCommand extends AbstractCommand {
  private static final int SECONDS = 120;
  private static final Pattern PID = Pattern.compile("\"pid\" : ([0-9]+)");

  @Option(names = "--rounds", description = "How often.")
  int rounds = 1;

  WarmUpCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    String store = String.valueOf(folder);
    // Not closed: what is started here is killed, and comes back as another process.
    Understudy understudy;
    try {
      understudy = Understudy.start(Files.createDirectories(Path.of(store)), SECONDS);
    } catch (IOException e) {
      throw new FailureException("no process to warm up with could be started", e);
    }
    try {
      checkpointer().furnish(understudy);
    } catch (VmckptException e) {
      // What cannot be had here is not warmed up.
    }
    int pid = understudy.pid();
    for (int round = 0; round < rounds && pid > 0; round++) {
      run("list", "--store", store);
      run("inspect", "" + pid);
      run("inspect", "" + pid, "--json");
      run("doctor", "--json");
      run("snapshot", "" + pid, "--name", "plain", "--store", store);
      run("snapshot", "" + pid, "--name", "warm-up", "--kill", "--store", store, "--json");
      run("list", "--store", store);
      run("show", "warm-up", "--store", store);
      run("verify", "warm-up", "--store", store);
      Matcher restored = PID.matcher(run("restore", "warm-up", "--store", store, "--json"));
      pid = restored.find() ? Integer.parseInt(restored.group(1)) : 0;
      run("rm", "plain", "--store", store);
      run("rm", "warm-up", "--store", store, "--json");
      run("restore", "nothing", "--store", store);
      run("run", "--", "/bin/true");
    }
    if (pid > 0) {
      try {
        Processes.kill(pid);
      } catch (VmckptException e) {
        // It is gone already.
      }
    }
    run("--help");
    return ExitCode.DONE.code();
  }

  private String run(String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    PrintStream nowhere =
        new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
    Main.run(args, new Session(stream, nowhere, session.environment(), false, false));
    return out.toString(StandardCharsets.UTF_8);
  }
}
