// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** By what QEMU 7.2 says of its networks. */
class AnnouncementTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "n0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:57 | false",
        "#net082: index=0,type=user,net=10.0.2.0,restrict=off | false",
        "hub 0\\r\\n \\ h: e1000.1: index=0,type=nic,model=e1000 | false",
        "n: index=0,type=tap,ifname=tap0,script=no,downscript=no | true",
        "s: index=0,type=stream, | true",
        "so: index=0,type=socket, | true",
        "d: index=0,type=dgram,udp=127.0.0.1:45454/127.0.0.1:45455 | true",
      })
  void leadsOutside(String networks, boolean expected) {
    assertThat(Announcement.leadsOutside(networks)).isEqualTo(expected);
  }
}
