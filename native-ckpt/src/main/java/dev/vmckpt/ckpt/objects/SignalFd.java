// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/** signalfd(2). What it would read are the pending signals, which belong to the threads. */
final class SignalFd implements KernelObject<DescriptorImage.SignalFd> {
  private static final int MASK_BYTES = 8;

  @Override
  public String name() {
    return "signalfd";
  }

  @Override
  public String carries() {
    return "with its signals";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.SignalFd> imageType() {
    return DescriptorImage.SignalFd.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    return resource.link().equals("anon_inode:[signalfd]")
        ? Optional.of(Claim.carried("signal reader"))
        : Optional.empty();
  }

  @Override
  public DescriptorImage.SignalFd capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    return new DescriptorImage.SignalFd(InfoLine.hex(resource, now, "sigmask"));
  }

  @Override
  public RemoteFd restore(DescriptorImage.SignalFd image, OpenFileImage file, HuskFiles husk) {
    return husk.park(
        husk.process()
            .call(
                "signalfd4",
                HuskFiles.name(file),
                Nr.SIGNALFD4,
                -1,
                husk.put(LittleEndian.bytesOf(image.mask())),
                MASK_BYTES,
                FileCalls.O_CLOEXEC));
  }
}
