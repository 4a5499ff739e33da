// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A process of its own that writes snapshots into a store, or only begins one, until it is killed.
 */
public final class WriterProcess {
  private WriterProcess() {}

  /**
   * Writes.
   *
   * @param args the store, and {@code hold} or {@code write}
   */
  public static void main(String[] args) throws IOException {
    Store store = Samples.store(Path.of(args[0]));
    if (args[1].equals("hold")) {
      try (Draft draft = store.begin("held", List.of())) {
        System.out.println(draft.id());
        System.in.read();
      }
      return;
    }
    for (int i = 0; ; i++) {
      System.out.println(Samples.save(store, "p" + ProcessHandle.current().pid() + "-" + i).id());
    }
  }

  static Process start(Path store, String what) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            WriterProcess.class.getName(),
            store.toString(),
            what)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
