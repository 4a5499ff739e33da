// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** The command line as a whole. */
@Command(
    name = "vmckpt",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    description = "Saves any running virtual machine or emulator as a process, and brings it back.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:something failed, for example a full disk",
      "2:wrong usage",
      "3:refused: a resource that nobody carries",
      "4:no such target, or it went away",
      "5:the snapshot is missing, damaged, too old or too new",
      "6:not permitted"
    },
    footer = {
      "",
      "Example:",
      "  vmckpt snapshot 4242 --name web",
      "  kill -9 4242",
      "  vmckpt restore web"
    })
public final class Main implements Runnable {
  private static final String[] NAMES = {
    "run",
    "snapshot",
    "restore",
    "inspect",
    "list",
    "show",
    "export",
    "verify",
    "rm",
    "doctor",
    "demo",
    "completion"
  };

  @Spec @Nullable CommandSpec spec;

  /** Runs one command line and ends the process with its exit code. */
  public static void main(String[] args) {
    Session session = Session.ofProcess();
    int code = run(args, session);
    session.out().flush();
    session.err().flush();
    // Not halt(): the class-data archive is written by what runs at exit.
    System.exit(code);
  }

  /** Runs one command line. */
  static int run(String[] args, Session session) {
    boolean json = has(args, "--json");
    boolean debug = has(args, "--debug");
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", debug ? "debug" : "warn");
    Failures failures = new Failures(session, json, debug);
    try {
      CommandLine all = args.length > 0 ? only(args[0], session) : null;
      return execute(all == null ? commandLine(session) : all, args, failures);
    } catch (RuntimeException | Error e) {
      return failures.report(e);
    }
  }

  /** The whole command line. */
  static CommandLine commandLine(Session session) {
    CommandLine all = new CommandLine(new Main());
    for (String name : NAMES) {
      all.addSubcommand(command(name, session));
    }
    all.addSubcommand(new WarmUpCommand(session));
    return configured(all, session);
  }

  @Override
  public void run() {
    if (spec != null) {
      throw new ParameterException(spec.commandLine(), "a command is missing");
    }
  }

  /** A command line with one command only: the models of the others are not built in vain. */
  private static @Nullable CommandLine only(String name, Session session) {
    if (!Arrays.asList(NAMES).contains(name)) {
      return null;
    }
    CommandLine all = new CommandLine(new Main());
    all.addSubcommand(command(name, session));
    return configured(all, session);
  }

  /** These settings reach the commands that are there already, and no later one. */
  private static CommandLine configured(CommandLine all, Session session) {
    all.setOut(
        new PrintWriter(new OutputStreamWriter(session.out(), StandardCharsets.UTF_8), true));
    all.setCaseInsensitiveEnumValuesAllowed(true);
    // A word of a command that begins with @ is that command's.
    all.setExpandAtFiles(false);
    CommandLine run = all.getSubcommands().get("run");
    if (run != null) {
      // So are all words behind the first that is no option of ours.
      run.setStopAtPositional(true);
    }
    all.setColorScheme(CommandLine.Help.defaultColorScheme(session.outColors()));
    return all;
  }

  private static Object command(String name, Session session) {
    return switch (name) {
      case "run" -> new RunCommand(session);
      case "snapshot" -> new SnapshotCommand(session);
      case "restore" -> new RestoreCommand(session);
      case "inspect" -> new InspectCommand(session);
      case "list" -> new ListCommand(session);
      case "show" -> new ShowCommand(session);
      case "export" -> new ExportCommand(session);
      case "verify" -> new VerifyCommand(session);
      case "rm" -> new RmCommand(session);
      case "doctor" -> new DoctorCommand(session);
      case "demo" -> new DemoCommand(session);
      case "completion" -> new CompletionCommand(session);
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static int execute(CommandLine all, String[] args, Failures failures) {
    ParseResult parsed;
    try {
      parsed = all.parseArgs(args);
    } catch (CommandLine.UnmatchedArgumentException e) {
      String first = e.getUnmatched().get(0);
      boolean noCommand = e.getCommandLine().getParent() == null && !first.startsWith("-");
      return failures.report(
          noCommand ? new ParameterException(all, "there is no command '" + first + "'") : e);
    } catch (ParameterException e) {
      return failures.report(e);
    }
    Integer help = CommandLine.executeHelpRequest(parsed);
    if (help != null) {
      return help;
    }
    CommandLine leaf = all;
    for (ParseResult each = parsed; each != null; each = each.subcommand()) {
      leaf = each.commandSpec().commandLine();
    }
    Object command = leaf.getCommand();
    try {
      if (command instanceof AbstractCommand one) {
        return one.call();
      }
      ((Main) command).run();
      return 0;
    } catch (ParameterException e) {
      return failures.report(e);
    }
  }

  private static boolean has(String[] args, String option) {
    for (String arg : args) {
      if (arg.equals("--")) {
        return false;
      }
      if (arg.equals(option)) {
        return true;
      }
    }
    return false;
  }
}
