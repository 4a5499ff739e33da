// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.remote.RemoteAddress;
import org.junit.jupiter.api.Test;

/** Mappings of vcpus, out of /proc/PID/maps as Linux 6.18 writes it. */
class RunMappingsTest {
  private static final String MAPS =
      """
      7fddca800000-7fddcaa00000 rw-p 00000000 00:00 0
      7fddcad0c000-7fddcad0f000 rw-s 00000000 00:10 1030                       anon_inode:kvm-vcpu:1
      7fddcad0f000-7fddcad12000 rw-s 00000000 00:10 1030                       anon_inode:kvm-vcpu:0
      7fddcad20000-7fddcad23000 rw-s 00000000 00:10 1030                       anon_inode:kvm-vcpu:0
      7fddcad30000-7fddcad40000 rw-s 00040000 00:10 1030                       anon_inode:kvm-vcpu:12
      7ffc11dd6000-7ffc11df7000 rw-p 00000000 00:00 0                          [stack]
      """;

  @Test
  void theFirstPageOfEachVcpuIsFound() {
    RunMappings mappings = RunMappings.parse(MAPS);
    assertThat(mappings.byVcpu())
        .containsOnlyKeys(0, 1)
        .containsEntry(0, new RunMappings.Mapping(new RemoteAddress(0x7fddcad0f000L), 3 * 4096));
  }

  @Test
  void aProcessWithoutVcpusHasNone() {
    assertThat(RunMappings.parse("").byVcpu()).isEmpty();
  }
}
