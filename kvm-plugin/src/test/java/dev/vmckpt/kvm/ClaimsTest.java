// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.AreaClaim;
import dev.vmckpt.spi.AreaResource;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is the adapter's, and what it refuses by name. */
class ClaimsTest {
  private static final String VM = "anon_inode:kvm-vm";
  private static final String VCPU = "anon_inode:kvm-vcpu:3";

  @ParameterizedTest
  @ValueSource(
      strings = {"/dev/kvm", VM, VCPU, "anon_inode:kvm-vcpu-stats:3", "anon_inode:kvm-vm-stats"})
  void carried(String link) {
    Claim claim = claim(link, VM, VCPU).orElseThrow();
    assertThat(claim.refusal()).isNull();
    assertThat(claim.changed()).isEqualTo(link.contains("stats"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "anon_inode:[kvm-gmem]",
        "/memfd:guest_memfd",
        "anon_inode:kvm-vfio",
        "anon_inode:[vfio-device]",
        "/dev/vfio/vfio",
        "/dev/vfio/17",
        "/dev/sev",
        "anon_inode:kvm-xics"
      })
  void refusedByName(String link) {
    Claim claim = claim(link, VM).orElseThrow();
    assertThat(claim.refusal()).isNotNull();
    assertThat(claim.remedy()).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"anon_inode:[eventfd]", "/dev/null", "/memfd:kvm-vm", "/home/kvm", "socket:[7]"})
  void nothingOfOurs(String link) {
    assertThat(claim(link, VM)).isEmpty();
  }

  @Test
  void deviceFileIsKnownByItsNumber() {
    FileStat stat = new FileStat(0, 0, 0020000, 10L << 32 | 232, 0, 1, 0);
    DescriptorResource resource = resource("/jail/dev/kvm", stat, 9);
    assertThat(Claims.of(resource, List.of(resource))).isPresent();
  }

  @Test
  void twoMachinesAreRefused() {
    Claim claim = claim(VM, VM).orElseThrow();
    assertThat(claim.refusal()).contains("2 virtual machines");
  }

  @Test
  void vcpuWithoutItsMachineIsRefused() {
    assertThat(claim(VCPU).orElseThrow().refusal()).contains("no descriptor");
  }

  @Test
  void mappingOfAVcpuIsCarried() {
    AreaClaim claim = area(VCPU, 0).orElseThrow();
    assertThat(claim.refusal()).isNull();
    assertThat(claim.descriptor()).isEqualTo(new RemoteFd(101));
  }

  @Test
  void dirtyRingIsRefused() {
    assertThat(area(VCPU, 64 * 4096).orElseThrow().refusal()).contains("ring");
  }

  @Test
  void mappingWithoutADescriptorIsNotOurs() {
    assertThat(area("anon_inode:kvm-vcpu:4", 0)).isEmpty();
    assertThat(area("/dev/dri/card0", 0)).isEmpty();
  }

  /** The claim of a resource that stands first, with others behind it. */
  private static Optional<Claim> claim(String link, String... others) {
    List<DescriptorResource> all = new ArrayList<>();
    all.add(resource(link, new FileStat(0, 0, 0, 0, 0, 0, 0), 99));
    for (String other : others) {
      if (!other.equals(link) || all.size() > 1 || others.length == 1) {
        all.add(resource(other, new FileStat(0, 0, 0, 0, 0, 0, 0), 99 + all.size()));
      }
    }
    return Claims.of(all.get(0), all);
  }

  private static Optional<AreaClaim> area(String path, long offset) {
    FileStat stat = new FileStat(0, 0, 0, 0, 0, 0, 0);
    AreaResource area =
        new AreaResource(
            1,
            new RemoteAddress(0x7f0000000000L),
            new RemoteAddress(0x7f0000003000L),
            offset,
            path);
    return Claims.of(area, List.of(resource(VM, stat, 100), resource(VCPU, stat, 101)));
  }

  private static DescriptorResource resource(String link, FileStat stat, int fd) {
    return new DescriptorResource(
        1, List.of(new RemoteFd(fd)), List.of(true), link, stat, new FdInfo(0, 2, List.of()));
  }
}
