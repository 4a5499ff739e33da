// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * One end of a pipe whose other end somebody outside holds, or nobody: a reading end comes back
 * with what was still in it and then at its end, a writing end as /dev/null; or as a file of the
 * user's choice.
 */
final class OutsidePipe implements KernelObject<DescriptorImage.OutsidePipe> {
  private static final int O_CREAT = 0100;
  private static final int SEEK_END = 2;
  private static final int PRIVATE = 0600;

  @Override
  public String name() {
    return "outside pipe";
  }

  @Override
  public String carries() {
    return "a reading end at its end, a writing end as /dev/null; --reattach fd:N=PATH";
  }

  @Override
  public boolean changed() {
    return true;
  }

  @Override
  public Class<DescriptorImage.OutsidePipe> imageType() {
    return DescriptorImage.OutsidePipe.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    if (!resource.link().startsWith(Pipe.LINK) || census.pipe(resource).isWhole()) {
      return Optional.empty();
    }
    return Optional.of(
        Claim.changed(
            resource.info().writeOnly()
                ? "pipe to a process outside; comes back as /dev/null"
                : "pipe from a process outside; comes back at its end"));
  }

  @Override
  public DescriptorImage.OutsidePipe capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    if (now.writeOnly()) {
      return new DescriptorImage.OutsidePipe(true, List.of());
    }
    try (OwnFd duplicate = context.census().duplicate(resource)) {
      return new DescriptorImage.OutsidePipe(
          false, PipeContents.peek(duplicate, Pipe.capacity(duplicate, resource), resource.name()));
    }
  }

  @Override
  public RemoteFd restore(DescriptorImage.OutsidePipe image, OpenFileImage file, HuskFiles husk) {
    String instead = husk.reattach(file);
    String name = HuskFiles.name(file);
    if (instead != null) {
      return openInstead(instead, image.writer() ? Pipe.O_WRONLY | O_CREAT : 0, husk);
    }
    if (image.writer()) {
      husk.note(name + ", a pipe to a process outside, came back as /dev/null");
      return husk.open("/dev/null", Pipe.O_WRONLY, 0);
    }
    husk.note(name + ", a pipe from a process outside, came back at its end");
    RemoteFd[] ends = husk.pipe(Pipe.O_NONBLOCK);
    try (OwnFd writer = husk.pull(ends[1])) {
      long size = 0;
      for (byte[] piece : image.unread()) {
        // Every piece may take slots of its own.
        size += (piece.length + 4095L) / 4096 * 4096;
      }
      FileCalls.tryFcntl(writer.number(), FileCalls.F_SETPIPE_SZ, Math.max(65536, size));
      PipeContents.write(writer, image.unread(), name);
    }
    husk.close(ends[1]);
    return ends[0];
  }

  /**
   * Opens a file of the user's, at its end; a path is relative to where vmckpt runs. Never waits
   * for anybody: not for the other end of a named pipe, nor for the carrier of a serial line.
   */
  static RemoteFd openInstead(String path, int flags, HuskFiles husk) {
    String absolute = Path.of(path).toAbsolutePath().toString();
    long opened = husk.tryOpen(absolute, flags | Pipe.O_NONBLOCK, PRIVATE);
    if (opened == -Errno.ENXIO) {
      // A named pipe cannot be opened to write while nobody reads.
      RemoteFd both = husk.open(absolute, Pipe.O_RDWR | Pipe.O_NONBLOCK, 0);
      opened = husk.tryOpen(absolute, flags | Pipe.O_NONBLOCK, PRIVATE);
      husk.close(both);
    }
    RemoteFd fd = new RemoteFd((int) Sys.check("open", absolute, opened));
    if ((flags & Pipe.O_WRONLY) != 0) {
      // A terminal has no end to go to, and does not need one.
      husk.process().tryCall(Nr.LSEEK, fd.number(), 0, SEEK_END);
    }
    return fd;
  }
}
