// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** On what libvirt 9.0 kept of a domain of its system's daemon, shortened where it repeats. */
class StateFileTest {
  private static final Path FILE = Path.of("/run/libvirt/qemu/web.xml");

  private static String text() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(StateFileTest.class.getResourceAsStream("/web.xml"))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  @Test
  void itTellsTheProcessAndWhereItListens() throws IOException {
    StateFile state = StateFile.parse(FILE, text());
    assertThat(state.pid()).isEqualTo(22826);
    assertThat(state.uuid()).isEqualTo("c2de450b-0c7a-4a56-bf7c-44257ba36251");
    assertThat(state.monitor())
        .isEqualTo(Path.of("/var/lib/libvirt/qemu/domain-1-web/monitor.sock"));
    assertThat(state.folders())
        .containsExactly(
            Path.of("/var/lib/libvirt/qemu/domain-1-web"),
            Path.of("/var/lib/libvirt/qemu/channel/target/domain-1-web"));
    assertThat(state.pidFile()).isEqualTo(Path.of("/run/libvirt/qemu/web.pid"));
  }

  @Test
  void aRestoredOneHasNoNamespaceOfItsOwn() throws IOException {
    String restored = StateFile.restored(text());
    assertThat(text()).contains("<namespaces>");
    assertThat(restored).doesNotContain("namespace").contains("<vcpus>", "<qemuCaps>");
    assertThat(StateFile.parse(FILE, restored).pid()).isEqualTo(22826);
    assertThat(StateFile.restored(restored)).isEqualTo(restored);
  }

  @Test
  void whatIsNoneIsSaid() {
    for (String text : new String[] {"", "<domstatus", "<domain><uuid>x</uuid></domain>"}) {
      assertThatThrownBy(() -> StateFile.parse(FILE, text))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("no state of a domain");
    }
  }

  @Test
  void itIsWhereItsDaemonKeepsIt() {
    Map<String, String> user = Map.of("HOME", "/home/u", "XDG_RUNTIME_DIR", "/run/user/7");
    assertThat(StateFile.folders("qemu:///system", user))
        .containsExactly(Path.of("/run/libvirt/qemu"));
    assertThat(StateFile.folders("qemu:///session", user))
        .startsWith(
            Path.of("/run/user/7/libvirt/qemu/run"), Path.of("/home/u/.cache/libvirt/qemu/run"));
    assertThat(StateFile.folders("qemu+unix:///session?socket=/x/libvirt/libvirt-sock&a=b", user))
        .containsExactly(Path.of("/x/libvirt/qemu/run"), Path.of("/x/libvirt/qemu"));
  }
}
