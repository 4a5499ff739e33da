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

/** eventfd(2). Its count is told by fdinfo: reading it would empty it. */
final class EventFd implements KernelObject<DescriptorImage.EventFd> {
  private static final int EFD_SEMAPHORE = 1;

  @Override
  public String name() {
    return "eventfd";
  }

  @Override
  public String carries() {
    return "with its count";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.EventFd> imageType() {
    return DescriptorImage.EventFd.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    return resource.link().equals("anon_inode:[eventfd]")
        ? Optional.of(Claim.carried("event counter"))
        : Optional.empty();
  }

  @Override
  public DescriptorImage.EventFd capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    return new DescriptorImage.EventFd(
        InfoLine.hex(resource, now, "eventfd-count"), "1".equals(now.value("eventfd-semaphore")));
  }

  @Override
  public RemoteFd restore(DescriptorImage.EventFd image, OpenFileImage file, HuskFiles husk) {
    long small = image.count() >>> 32 == 0 ? image.count() : 0;
    int flags = FileCalls.O_CLOEXEC | (image.semaphore() ? EFD_SEMAPHORE : 0);
    String name = HuskFiles.name(file);
    RemoteFd fd = husk.park(husk.process().call("eventfd2", name, Nr.EVENTFD2, small, flags));
    if (small != image.count()) {
      // ~0 is a counter that overflowed, which only the kernel can make; one less is the most.
      byte[] count = LittleEndian.bytesOf(image.count() == -1 ? -2 : image.count());
      husk.process().call("write", name, Nr.WRITE, fd.number(), husk.put(count), count.length);
    }
    return fd;
  }
}
