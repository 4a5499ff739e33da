// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.kit.Claiming;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Devices that few machines have: what would be seen of them is put together here. */
class HardwareAdapterTest {
  private static final int CHARACTER_DEVICE = 0020600;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/dev/vfio/vfio",
        "/dev/vfio/12",
        "/dev/vhost-net",
        "/dev/tpm0",
        "/dev/bus/usb/001/002"
      })
  void refusesWithARemedy(String path) {
    assertThat(claim(path))
        .hasValueSatisfying(
            claim -> {
              assertThat(claim.refusal()).isNotBlank();
              assertThat(claim.remedy()).contains("--drop fd:9");
            });
  }

  @Test
  void leavesOthersAlone() {
    assertThat(claim("/dev/null")).isEmpty();
    assertThat(claim("/dev/net/tun")).isEmpty();
  }

  private static Optional<Claim> claim(String path) {
    FileStat stat = new FileStat(6L, 1, CHARACTER_DEVICE, 10L << 32 | 238, 0, 1, 0);
    DescriptorResource resource =
        new DescriptorResource(
            1, List.of(new RemoteFd(9)), List.of(false), path, stat, new FdInfo(0, 2, List.of()));
    return new HardwareAdapter().claim(resource, new Claiming(new LinuxFileCloner(), List.of()));
  }
}
