// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.guard;

import dev.vmckpt.spi.Guard;

/** A guard that does its last work by programs. */
public final class GuardProcess implements Guard {
  private static final String SCRIPT =
      """
      exec </dev/null >/dev/null 2>&1
      work=
      while IFS= read -r line <&3; do
        work=$line
      done
      eval "$work"
      """;

  private final Shell shell;
  private boolean open = true;

  private GuardProcess(Shell shell) {
    this.shell = shell;
  }

  /** Starts one that has nothing to do yet. */
  public static GuardProcess start() {
    return new GuardProcess(Shell.start(SCRIPT));
  }

  @Override
  public void setLastWork(String script) {
    if (script.indexOf('\n') >= 0) {
      throw new IllegalArgumentException("more than one line");
    }
    shell.tell(script + "\n");
  }

  /** Nothing is done any more: not even what {@link #setLastWork} had asked for. */
  @Override
  public void close() {
    if (open) {
      open = false;
      try {
        setLastWork("");
      } finally {
        shell.close();
      }
    }
  }
}
