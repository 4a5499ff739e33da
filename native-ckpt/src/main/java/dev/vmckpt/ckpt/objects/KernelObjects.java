// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Optional;

/** The registry: every kind of kernel object, each once. */
public final class KernelObjects {
  private static final List<KernelObject<?>> ALL =
      List.of(
          new EventFd(),
          new TimerFd(),
          new SignalFd(),
          new Epoll(),
          new Pipe(),
          new OutsidePipe(),
          new Fifo(),
          new SocketPair(),
          new Socket(),
          new LostPeer(),
          new CharDevice(),
          new MemFd(),
          new Dropped());

  private KernelObjects() {}

  /** All kinds, in the order in which they are asked. */
  public static List<KernelObject<?>> all() {
    return ALL;
  }

  /** Finds the kind of a resource; empty when it is of none. */
  public static Optional<Recognised> recognise(DescriptorResource resource, Census census) {
    for (KernelObject<?> object : ALL) {
      Optional<Claim> claim = object.recognise(resource, census);
      if (claim.isPresent()) {
        return Optional.of(new Recognised(object, claim.get()));
      }
    }
    return Optional.empty();
  }

  /**
   * Reads the state of a recognised resource, in the pause.
   *
   * @param now its {@code fdinfo} in the pause
   */
  public static DescriptorImage capture(
      Recognised recognised, DescriptorResource resource, FdInfo now, CaptureContext context) {
    return recognised.object().capture(resource, now, context);
  }

  /**
   * Makes an object again in a husk. In ascending order of numbers, but for those that are {@link
   * #last}.
   *
   * @return a parked number: the caller moves it to the wanted ones, closes it, and sets the status
   *     flags
   */
  public static RemoteFd restore(OpenFileImage file, HuskFiles husk) {
    for (KernelObject<?> object : ALL) {
      if (object.imageType().isInstance(file.object())) {
        return restore(object, file, husk);
      }
    }
    throw new IllegalArgumentException("no kernel object: " + file.object().getClass());
  }

  /** Whether an object needs all others in place: it is restored after them. */
  public static boolean last(DescriptorImage image) {
    return image instanceof DescriptorImage.Epoll;
  }

  private static <I extends DescriptorImage> RemoteFd restore(
      KernelObject<I> object, OpenFileImage file, HuskFiles husk) {
    return object.restore(object.imageType().cast(file.object()), file, husk);
  }
}
