// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script of a guard, run by a real shell with a virsh that writes down what it is told. */
class LastWorkTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void everyCommandIsSaidToTheDomainAndAgainUntilItIsTaken() throws Exception {
    Path virsh = folder.resolve("virsh");
    Path heard = folder.resolve("heard");
    Files.writeString(
        virsh,
        "#!/bin/sh\n{ for a; do printf '[%s]' \"$a\"; done; echo \" $HOME $EDITOR\"; } >>"
            + heard
            + "\n[ -e "
            + folder
            + "/up ] || { : >"
            + folder
            + "/up; exit 1; }\n");
    Files.setPosixFilePermissions(virsh, PosixFilePermissions.fromString("rwx------"));
    String uri = "qemu+unix:///session?socket=/it's here&x";
    LastWork work =
        LastWork.find(
                uri,
                "1-2",
                Map.of("PATH", "/nonexistent:" + folder, "HOME", "/a b", "EDITOR", "vi"))
            .orElseThrow();
    List<String> commands = List.of("{\"execute\":\"cont\"}", "{\"a\":\"it's\"}");
    Process shell = new ProcessBuilder("/bin/sh", "-c", work.script(commands, List.of())).start();
    assertThat(shell.waitFor()).isZero();
    String before = "[-q][-c][" + uri + "][qemu-monitor-command][--domain][1-2]";
    // The first was refused once.
    assertThat(Files.readAllLines(heard))
        .containsExactly(
            before + "[" + commands.get(0) + "] /a b ",
            before + "[" + commands.get(0) + "] /a b ",
            before + "[" + commands.get(1) + "] /a b ");
  }

  @Test
  void withoutVirshThereIsNone() {
    assertThat(LastWork.find("qemu:///system", "1-2", Map.of("PATH", "" + folder))).isEmpty();
  }
}
