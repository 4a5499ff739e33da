// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A character device that has no state: /dev/null, zero, full, random, urandom. */
final class CharDevice implements KernelObject<DescriptorImage.CharDevice> {
  private static final int MEMORY_MAJOR = 1;
  private static final int ACCESS = 3;

  @Override
  public String name() {
    return "memory device";
  }

  @Override
  public String carries() {
    return "/dev/null, zero, full, random, urandom: opened again";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.CharDevice> imageType() {
    return DescriptorImage.CharDevice.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    String path = path(resource);
    return path == null ? Optional.empty() : Optional.of(Claim.carried(path));
  }

  @Override
  public DescriptorImage.CharDevice capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    String path = path(resource);
    if (path == null) {
      throw new ObjectChangedException(resource.name(), "it is another device now");
    }
    return new DescriptorImage.CharDevice(path);
  }

  @Override
  public RemoteFd restore(DescriptorImage.CharDevice image, OpenFileImage file, HuskFiles husk) {
    return husk.open(image.path(), file.statusFlags() & ACCESS, 0);
  }

  /** Its usual path, wherever this one stands; null for any other device. */
  private static @Nullable String path(DescriptorResource resource) {
    if (!resource.stat().isCharDevice() || resource.stat().major() != MEMORY_MAJOR) {
      return null;
    }
    return switch (resource.stat().minor()) {
      case 3 -> "/dev/null";
      case 5 -> "/dev/zero";
      case 7 -> "/dev/full";
      case 8 -> "/dev/random";
      case 9 -> "/dev/urandom";
      default -> null;
    };
  }
}
