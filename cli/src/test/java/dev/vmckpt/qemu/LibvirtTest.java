// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A Linux guest that libvirt runs is saved, killed, brought back without libvirt, and given back to
 * it: with the daemons of the system and of a session.
 */
@Execution(ExecutionMode.CONCURRENT)
class LibvirtTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @ParameterizedTest
  @EnumSource
  void aDomainIsSavedBroughtBackAndAdopted(LibvirtHost.Kind kind) throws Exception {
    try (LibvirtHost host = new LibvirtHost(kind, folder)) {
      Path files = host.writable("web");
      int pid = host.linux("web", files);
      Beats beats = Beats.linux(files.resolve("serial"));
      beats.awaitMore(pid, 5);
      String target = host.target("web");
      Vmckpt vmckpt = host.vmckpt();

      Run seen = vmckpt.ok("inspect", target, "--json");
      assertThat(seen.number("pid")).isEqualTo(pid);
      assertThat(seen.object().get("savable")).isEqualTo(true);
      String log = "fd:" + console(pid) + "=" + files.resolve("serial");

      Run saved = vmckpt.ok("snapshot", target, "--name", "a");
      assertThat(saved.err()).doesNotContain("not stopped");
      Health.awaitUntouched(pid);
      beats.awaitMore(pid, 3);
      assertThat(host.virsh("domstate", "web")).isEqualTo("running");

      // It dies, and libvirt sees that.
      Detached.kill(pid);
      Health.await("shut off", () -> !Files.exists(host.state("web.xml")));
      assertThat(vmckpt.fails(4, "inspect", target).err()).contains("is not running");

      long mark = beats.mark();
      Run outside = vmckpt.ok("restore", "a", "--reattach", log);
      assertThat(outside.err()).contains("domain web runs outside libvirt", "libvirt=adopt");
      beats.await(pid, mark, 10);
      assertThat(host.virsh("domstate", "web")).isEqualTo("shut off");
      Detached.kill(pid);

      mark = beats.mark();
      Run adopted =
          vmckpt.ok("restore", "a", "--in-place", "--reattach", log, "--reattach", "libvirt=adopt");
      assertThat(adopted.err()).contains("domain web is libvirt's again");
      beats.await(pid, mark, 10);
      assertThat(host.virsh("domstate", "web", "--reason")).isEqualTo("running (booted)");
      assertThat(host.virsh("dominfo", "web")).contains("State:          running");
      assertThat(host.pid("web")).isEqualTo(pid);
      assertThat(vmckpt.fails(3, "restore", "a", "--reattach", "libvirt=adopt").err())
          .contains("runs there already");

      // libvirt can do with it what it could before: also save it once more, through vmckpt.
      host.virsh("suspend", "web");
      assertThat(host.virsh("domstate", "web")).isEqualTo("paused");
      host.virsh("resume", "web");
      vmckpt.ok("snapshot", target, "--name", "b");
      beats.awaitMore(pid, 3);
      host.virsh("destroy", "web");
      Health.await("its end", () -> !Detached.alive(pid));
      assertThat(host.virsh("domstate", "web")).isEqualTo("shut off");
    }
  }

  /**
   * The number of the pipe to virtlogd that the guest's console goes to; 1 and 2 are QEMU's words.
   */
  private static int console(int pid) throws IOException {
    Path open = Path.of("/proc/" + pid + "/fd");
    String words = Files.readSymbolicLink(open.resolve("1")).toString();
    for (int number : Health.numbers(open).stream().sorted().toList()) {
      String link = Files.readSymbolicLink(open.resolve("" + number)).toString();
      if (link.startsWith("pipe:") && !link.equals(words)) {
        return number;
      }
    }
    throw new AssertionError("no pipe to virtlogd");
  }
}
