// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/**
 * One kind of kernel object behind a descriptor.
 *
 * @param <I> its record in an image
 */
public interface KernelObject<I extends DescriptorImage> {
  /** Its name in {@code vmckpt inspect} and in the documentation. */
  String name();

  /** What comes back, in a few words, for the table in the documentation. */
  String carries();

  /** Whether it comes back otherwise than it was. */
  boolean changed();

  /** Its record. */
  Class<I> imageType();

  /** Whether a descriptor is one of these; the target runs and is not touched. */
  Optional<Claim> recognise(DescriptorResource resource, Census census);

  /**
   * Reads its state. The target is frozen: this stands in the pause.
   *
   * @param now its {@code fdinfo} in the pause
   * @throws ObjectChangedException if it is not any more what was recognised
   * @throws dev.vmckpt.spi.error.RefusedException if it holds something that cannot be carried
   */
  I capture(DescriptorResource resource, FdInfo now, CaptureContext context);

  /**
   * Makes it again in a husk.
   *
   * @param image its state, the object of {@code file}
   * @param file the numbers it was held at, and its flags
   * @return where: a parked number; the caller moves it to its numbers and sets its status flags
   */
  RemoteFd restore(I image, OpenFileImage file, HuskFiles husk);
}
