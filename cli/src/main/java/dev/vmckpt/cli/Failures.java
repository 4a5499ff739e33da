// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.store.StoreErrors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ParameterException;

/** Shows a failure: a sentence for people, an object for programs, an exit code for both. */
final class Failures {
  private final Session session;
  private final boolean json;
  private final boolean debug;

  Failures(Session session, boolean json, boolean debug) {
    this.session = session;
    this.json = json;
    this.debug = debug;
  }

  /** Shows it, and returns the exit code. */
  int report(Throwable failure) {
    Throwable known = known(failure);
    ExitCode code = exitCode(known);
    String sentence = sentence(known);
    List<String> also = new ArrayList<>();
    for (Throwable suppressed : known.getSuppressed()) {
      also.add(sentence(known(suppressed)));
    }
    session
        .err()
        .println(session.errColors().string("@|bold,red vmckpt:|@ ") + Humans.plain(sentence));
    for (String each : also) {
      session.err().println("  also: " + Humans.plain(each));
    }
    if (debug) {
      failure.printStackTrace(session.err());
    }
    if (json) {
      Fields fields = new Fields().put("error", sentence).put("exitCode", code.code());
      if (known instanceof SnapshotException snapshot) {
        fields.put("fault", snapshot.fault().name().toLowerCase(Locale.ROOT).replace('_', '-'));
      }
      List<Object> refusals = new ArrayList<>();
      if (known instanceof RefusedException refused) {
        for (Refusal refusal : refused.refusals()) {
          refusals.add(refusal);
        }
      }
      fields.put("refusals", JsonTree.list(refusals));
      if (!also.isEmpty()) {
        fields.put("also", also);
      }
      session.out().println(fields.toJson());
    }
    session.out().flush();
    return code.code();
  }

  /** What a command line failed with, without the wrapping of Java's or picocli's making. */
  private static Throwable known(Throwable failure) {
    Throwable inner = failure;
    if (failure instanceof UncheckedIOException unchecked && unchecked.getCause() != null) {
      inner = unchecked.getCause();
    }
    if (inner instanceof IOException io) {
      VmckptException known = StoreErrors.of("a file could not be read or written", io);
      for (Throwable suppressed : failure.getSuppressed()) {
        known.addSuppressed(suppressed);
      }
      return known;
    }
    return inner;
  }

  private static ExitCode exitCode(Throwable failure) {
    if (failure instanceof VmckptException known) {
      return known.exitCode();
    }
    return failure instanceof ParameterException ? ExitCode.USAGE : ExitCode.FAILED;
  }

  private static String sentence(Throwable failure) {
    String message = String.valueOf(failure.getMessage());
    if (failure instanceof VmckptException) {
      return withCauses(message, failure.getCause());
    }
    if (failure instanceof ParameterException wrong) {
      String command = wrong.getCommandLine().getCommandSpec().qualifiedName();
      return message + "; see: " + command + " --help";
    }
    if (failure instanceof OutOfMemoryError) {
      return "vmckpt itself ran out of memory ("
          + message
          + "); VMCKPT_JAVA_OPTS=-Xmx1g gives it more";
    }
    return "something went wrong that should not have: "
        + failure.getClass().getSimpleName()
        + (failure.getMessage() == null ? "" : ": " + message)
        + "; --debug shows where";
  }

  private static String withCauses(String message, @Nullable Throwable cause) {
    StringBuilder text = new StringBuilder(message);
    for (Throwable each = cause; each != null; each = each.getCause()) {
      String fact = each.getMessage();
      if (fact != null && text.indexOf(fact) < 0) {
        text.append(": ").append(fact);
      }
    }
    return withAdvice(text.toString());
  }

  /** A full disk can be met anywhere; what to do about it is the same everywhere. */
  private static String withAdvice(String text) {
    boolean full = text.contains("No space left on device") || text.contains("ENOSPC");
    return full && !text.contains("--store")
        ? text + "; the disk is full: make room, or use another one (--store DIR)"
        : text;
  }
}
