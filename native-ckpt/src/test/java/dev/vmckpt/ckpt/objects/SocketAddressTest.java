// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Objects;
import org.junit.jupiter.api.Test;

class SocketAddressTest {
  private static byte[] unix(String text) {
    return Objects.requireNonNull(SocketAddress.ofUnix(text));
  }

  @Test
  void writesAddressesAsPeopleDo() {
    assertThat(SocketAddress.text(SocketAddress.withPort(SocketAddress.loopback(2), 5900)))
        .isEqualTo("127.0.0.1:5900");
    assertThat(SocketAddress.text(SocketAddress.withPort(SocketAddress.loopback(10), 80)))
        .isEqualTo("[0:0:0:0:0:0:0:1]:80");
    assertThat(SocketAddress.text(unix("/run/x.sock"))).isEqualTo("/run/x.sock");
    assertThat(SocketAddress.text(unix("@name"))).isEqualTo("@name");
    assertThat(SocketAddress.text(new byte[] {1, 0})).isEmpty();
  }

  @Test
  void knowsWhatIsBound() {
    assertThat(SocketAddress.isUnbound(new byte[] {1, 0})).isTrue();
    assertThat(SocketAddress.isUnbound(SocketAddress.loopback(2))).isTrue();
    assertThat(SocketAddress.isUnbound(unix("@x"))).isFalse();
    assertThat(SocketAddress.unixPath(unix("@x"))).isEmpty();
    assertThat(SocketAddress.unixPath(unix("/a/b"))).isEqualTo("/a/b");
  }

  @Test
  void refusesPathsThatAreTooLong() {
    assertThat(SocketAddress.ofUnix("/".repeat(107))).isNotNull();
    assertThat(SocketAddress.ofUnix("/".repeat(108))).isNull();
  }
}
