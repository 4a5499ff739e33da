// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * {@link SuddenDeath} of snapshots of a QEMU whose devices other processes serve: what was asked of
 * them over its connections must leave both as they were.
 */
class SuddenDeathOfEmulatorsTest extends SuddenDeath {
  private static final int KILLS = 20;

  @Test
  @Tag("long")
  void ofSnapshotsWithATpm() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Peer swtpm = Peer.swtpm(folder, TpmTest.socket(folder), "--tpm2");
        Machine machine = TpmTest.boot(vmckpt, folder)) {
      GuestConsole console = new GuestConsole(folder.resolve("serial"));
      console.awaitMore(TpmTest.WORK, 3);
      killSnapshots(new Served(machine, console, TpmTest.WORK), KILLS);
      assertThat(swtpm.alive()).isTrue();
      machine.saveAndKill("after");
      machine.restore("after");
      console.awaitMore(TpmTest.WORK, 3);
    }
  }

  @Test
  @Tag("long")
  void ofSnapshotsWithAVhostUserDisk() throws Exception {
    Path socket = folder.resolve("backend");
    try (Peer backend = Peer.servingDisk(folder, VhostUserDiskTest.disk(folder), socket);
        Machine machine = VhostUserDiskTest.boot(new Vmckpt(folder), folder, socket)) {
      GuestConsole console = new GuestConsole(folder.resolve("serial"));
      console.awaitMore(VhostUserDiskTest.WORK, 1);
      killSnapshots(new Served(machine, console, VhostUserDiskTest.WORK), KILLS);
      assertThat(backend.alive()).isTrue();
    }
  }

  private record Served(Machine machine, GuestConsole console, Pattern work) implements Victim {
    @Override
    public int pid() {
      return machine.pid();
    }

    @Override
    public void awaitMore(int lines) {
      console.awaitMore(work, lines);
    }
  }
}
