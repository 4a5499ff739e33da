// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What is read of a daemon's /proc, on texts of real ones. */
class DaemonTest {
  @Test
  void itsServiceIsKnownByItsControlGroup() {
    assertThat(Daemon.unit("0::/system.slice/libvirtd.service\n")).hasValue("libvirtd.service");
    assertThat(Daemon.unit("1:name=systemd:/system.slice/virtqemud.service\n0::/\n"))
        .hasValue("virtqemud.service");
    // A session's daemon, and one that somebody started by hand.
    assertThat(
            Daemon.unit(
                "0::/user.slice/user-1000.slice/user@1000.service/session.slice/x.service\n"))
        .isEmpty();
    assertThat(Daemon.unit("9:name=systemd:/\n0::/\n")).isEmpty();
  }

  @Test
  void itIsStartedAsTheUserItWas() {
    String status = "Name:\tlibvirtd\nUid:\t%s\t%s\t%s\t%s\nGid:\t50\t50\t50\t50\nGroups:\t%s\n";
    assertThat(Daemon.identity(status.replace("%s", "0"))).isEmpty();
    assertThat(Daemon.identity(status.formatted("7", "7", "7", "7", "24 27 ")))
        .containsExactly("setpriv", "--reuid=7", "--regid=50", "--groups=24,27");
    assertThat(Daemon.identity(status.formatted("7", "7", "7", "7", " ")))
        .containsExactly("setpriv", "--reuid=7", "--regid=50", "--clear-groups");
  }
}
