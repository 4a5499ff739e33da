// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/** A named pipe (fifo(7)): opened again where it stands. What waited in it is lost, and named. */
final class Fifo implements KernelObject<DescriptorImage.Fifo> {
  private static final String DELETED = " (deleted)";
  private static final int ACCESS = 3;

  @Override
  public String name() {
    return "named pipe";
  }

  @Override
  public String carries() {
    return "opened again by its path, without what was in it; --reattach fd:N=PATH";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.Fifo> imageType() {
    return DescriptorImage.Fifo.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    if (!resource.stat().isFifo() || !resource.link().startsWith("/")) {
      return Optional.empty();
    }
    return Optional.of(
        resource.stat().links() == 0 || resource.link().endsWith(DELETED)
            ? Claim.refused(
                "named pipe that was removed",
                "there is no path to open it again by",
                "leave it out: --drop " + resource.name())
            : Claim.carried("named pipe"));
  }

  @Override
  public DescriptorImage.Fifo capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    try (OwnFd duplicate = context.census().duplicate(resource)) {
      long unread = FileCalls.tryUnread(duplicate.number());
      if (unread > 0) {
        context.note(
            resource.name()
                + ": "
                + unread
                + " unread bytes in the named pipe "
                + resource.link()
                + " are not in the snapshot");
      }
    }
    return new DescriptorImage.Fifo(resource.link());
  }

  @Override
  public RemoteFd restore(DescriptorImage.Fifo image, OpenFileImage file, HuskFiles husk) {
    String instead = husk.reattach(file);
    String path = instead == null ? image.path() : instead;
    int access = file.statusFlags() & ACCESS;
    // A writing end cannot be opened, and a reading end without waiting neither, while nobody holds
    // the other.
    long both = husk.tryOpen(path, Pipe.O_RDWR | Pipe.O_NONBLOCK, 0);
    if (both < 0) {
      throw HuskFiles.refused(
          file,
          "the named pipe " + path + " cannot be opened: " + Errno.describe((int) -both),
          "make it (mkfifo " + path + "), or --reattach " + HuskFiles.name(file) + "=PATH");
    }
    RemoteFd opened = new RemoteFd((int) both);
    FileStat stat = FileCalls.stat("/proc/" + husk.process().pid() + "/fd/" + opened.number());
    if (stat == null || !stat.isFifo()) {
      husk.close(opened);
      throw HuskFiles.refused(
          file,
          path + " is not a named pipe any more",
          "make it (mkfifo " + path + "), or --reattach " + HuskFiles.name(file) + "=PATH");
    }
    if (access == Pipe.O_RDWR) {
      return opened;
    }
    RemoteFd fd = husk.open(path, access | Pipe.O_NONBLOCK, 0);
    husk.close(opened);
    return fd;
  }
}
