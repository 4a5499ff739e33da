// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real QEMU of its own for each test, and a connection to its monitor. */
@Timeout(120)
abstract class ConnectedTest {
  static final Duration PATIENCE = Duration.ofSeconds(60);
  static final Duration SOON = Duration.ofMillis(200);

  @TempDir Path folder;
  private RealServer server;
  Qmp qmp;

  @BeforeEach
  void start() {
    server = RealServer.at(folder.resolve("qmp"));
    qmp = Qmp.connect(folder.resolve("qmp"), PATIENCE);
  }

  @AfterEach
  void end() {
    qmp.close();
    server.close();
  }

  RealServer server() {
    return server;
  }
}
