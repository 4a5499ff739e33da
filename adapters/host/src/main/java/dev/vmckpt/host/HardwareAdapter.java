// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Optional;

/**
 * Knows what of the host's hardware and kernel works for a guest by itself, and refuses it by name:
 * where it stands in the guest's memory cannot be asked.
 */
public final class HardwareAdapter extends DeviceAdapter {
  @Override
  public String name() {
    return "hardware";
  }

  @Override
  public List<Carries> carries() {
    return List.of();
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    String path = resource.link();
    if (!resource.stat().isCharDevice()) {
      return Optional.empty();
    }
    if (path.startsWith("/dev/vfio/") || path.equals("/dev/iommu")) {
      return Optional.of(
          Claim.refused(
              "device of the host that is handed to the guest",
              "the state of that device lies in hardware, which nobody can save",
              "unplug it for the time of the snapshot (of a QEMU: --unplug DEVICE, by its id), or"
                  + " leave it out: --drop "
                  + resource.name()));
    }
    if (path.startsWith("/dev/bus/usb/")) {
      return Optional.of(
          Claim.refused(
              "USB device of the host that is handed to the guest",
              "what that device has been told is in the device, which nobody can save",
              "unplug it for the time of the snapshot (of a QEMU: --unplug DEVICE, by its id), or"
                  + " leave it out: --drop "
                  + resource.name()));
    }
    if (path.startsWith("/dev/vhost-")) {
      return Optional.of(
          Claim.refused(
              "device of the guest that the kernel serves",
              "the kernel serves the guest by itself, and does not tell where it stands",
              "have QEMU serve it (-netdev tap,vhost=off), unplug it for the time of the snapshot"
                  + " (of a QEMU: --unplug DEVICE, by its id), or leave it out: --drop "
                  + resource.name()));
    }
    if (path.startsWith("/dev/tpm")) {
      return Optional.of(
          Claim.refused(
              "the host's own TPM",
              "what a TPM holds cannot be copied; that is what it is for",
              "leave it out, so that it stops answering after a restore: --drop "
                  + resource.name()));
    }
    return Optional.empty();
  }

  @Override
  Recorded record(DescriptorResource resource, RecordContext context) {
    throw new IllegalStateException("was refused: " + resource.name());
  }

  @Override
  void rehearse(DescriptorResource resource) {
    throw new IllegalStateException("was refused: " + resource.name());
  }

  @Override
  RemoteFd reattach(Recorded recorded, List<Recorded> all, ReattachContext context) {
    throw new IllegalStateException("was refused: " + recorded.fd());
  }
}
