// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Ends a process of ours if we die before it is let go: a shell at the other end of a pipe, in a
 * session of its own so that no Ctrl-C meets it.
 */
final class LifeLine implements AutoCloseable {
  private static final String SCRIPT =
      "read -r pid || exit 0; read -r word; [ \"$word\" = free ] || kill -KILL \"$pid\"";

  private final Process shell;

  private LifeLine(Process shell) {
    this.shell = shell;
  }

  /**
   * Starts the shell, before what it guards.
   *
   * @throws FailureException if there is none
   */
  static LifeLine make() {
    try {
      return new LifeLine(
          new ProcessBuilder(List.of("setsid", "sh", "-c", SCRIPT))
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start());
    } catch (IOException e) {
      throw new FailureException("a shell cannot be started: " + e.getMessage(), e);
    }
  }

  /**
   * From now on that process ends with us.
   *
   * @throws IOException if the shell has ended
   */
  void hold(Process process) throws IOException {
    say(process.pid() + "\n");
  }

  /**
   * What is held lives on when we end.
   *
   * @throws FailureException if the shell has ended
   */
  void free() {
    try {
      say("free\n");
    } catch (IOException e) {
      throw new FailureException("the guard of the new QEMU is gone: " + e.getMessage(), e);
    }
  }

  private void say(String words) throws IOException {
    OutputStream pipe = shell.getOutputStream();
    pipe.write(words.getBytes(StandardCharsets.US_ASCII));
    pipe.flush();
  }

  /** Ends the shell, and what it holds does not end by it. */
  @Override
  public void close() {
    shell.destroyForcibly();
  }
}
