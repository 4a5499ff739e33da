// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/**
 * One kind of kernel object behind a descriptor.
 *
 * @param <I> its record in an image
 */
interface KernelObject<I extends DescriptorImage> {
  /** Its name in {@code vmckpt inspect} and in the documentation. */
  String name();

  /** Its record. */
  Class<I> imageType();

  /** Whether a descriptor is one of these; the target runs and is not touched. */
  Optional<Claim> recognise(DescriptorResource resource, Census census);

  /**
   * Reads its state. The target is frozen: this stands in the pause.
   *
   * @param now its {@code fdinfo} in the pause
   */
  I capture(DescriptorResource resource, FdInfo now, Census census);

  /**
   * Makes it again in a husk, at any free descriptor number.
   *
   * @return where; the caller moves it to its numbers and sets its status flags
   */
  RemoteFd restore(I image, HuskFiles husk);
}
