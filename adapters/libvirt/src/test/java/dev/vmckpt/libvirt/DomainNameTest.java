// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.error.UsageException;
import org.junit.jupiter.api.Test;

class DomainNameTest {
  @Test
  void aNameStandsAloneOrBehindItsDaemon() {
    assertThat(DomainName.parse("web")).isEqualTo(new DomainName("", "web"));
    assertThat(DomainName.parse("qemu:///session#web"))
        .isEqualTo(new DomainName("qemu:///session", "web"));
    assertThat(DomainName.parse("qemu+unix:///session?socket=/run/a#b/sock#web"))
        .isEqualTo(new DomainName("qemu+unix:///session?socket=/run/a#b/sock", "web"));
    // Nothing but a slash is forbidden in a name.
    assertThat(DomainName.parse("web#1")).isEqualTo(new DomainName("", "web#1"));
  }

  @Test
  void whatNamesNoDomainIsSaid() {
    for (String word : new String[] {"", "qemu:///system", "qemu:///system#"}) {
      assertThatThrownBy(() -> DomainName.parse(word))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("names no domain");
    }
  }
}
