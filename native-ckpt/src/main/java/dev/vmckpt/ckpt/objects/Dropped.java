// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/** What the user left out: a socket comes back as one whose peer hung up, all else as /dev/null. */
final class Dropped implements KernelObject<DescriptorImage.Dropped> {
  private static final int ACCESS = 3;

  @Override
  public String name() {
    return "dropped";
  }

  @Override
  public String carries() {
    return "what --drop leaves out: a socket that was hung up, or /dev/null; --reattach fd:N=PATH";
  }

  @Override
  public boolean changed() {
    return true;
  }

  @Override
  public Class<DescriptorImage.Dropped> imageType() {
    return DescriptorImage.Dropped.class;
  }

  /** Nothing is dropped by itself. */
  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    return Optional.empty();
  }

  @Override
  public DescriptorImage.Dropped capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    return new DescriptorImage.Dropped(resource.link());
  }

  @Override
  public RemoteFd restore(DescriptorImage.Dropped image, OpenFileImage file, HuskFiles husk) {
    int access = file.statusFlags() & ACCESS;
    String instead = husk.reattach(file);
    if (instead != null) {
      return OutsidePipe.openInstead(instead, access, husk);
    }
    boolean socket = image.was().startsWith("socket:");
    husk.note(
        HuskFiles.name(file)
            + " ("
            + image.was()
            + "), which was left out, came back as "
            + (socket ? "a connection that was hung up" : "/dev/null"));
    return socket ? LostPeer.hungUp(husk) : husk.open("/dev/null", access, 0);
  }
}
