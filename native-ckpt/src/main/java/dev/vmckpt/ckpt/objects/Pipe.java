// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Optional;

/**
 * One end of a pipe(7) both ends of which the set holds. The contents belong to the reading end.
 * Both ends are made with the first; an end that is open twice is opened once more through /proc.
 */
final class Pipe implements KernelObject<DescriptorImage.Pipe> {
  static final String LINK = "pipe:[";
  static final int O_WRONLY = 1;
  static final int O_RDWR = 2;
  static final int O_NONBLOCK = 04000;
  static final int O_DIRECT = 040000;

  @Override
  public String name() {
    return "pipe";
  }

  @Override
  public String carries() {
    return "with its contents, in packets if it has them, and its capacity";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.Pipe> imageType() {
    return DescriptorImage.Pipe.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    if (!resource.link().startsWith(LINK) || !census.pipe(resource).isWhole()) {
      return Optional.empty();
    }
    if (!resource.info().readOnly() && !resource.info().writeOnly()) {
      return Optional.of(
          Claim.refused(
              "pipe opened for reading and writing",
              "both ends of a pipe behind one descriptor are not carried",
              "leave it out: --drop " + resource.name()));
    }
    return Optional.of(
        Claim.carried(resource.info().writeOnly() ? "pipe, writing end" : "pipe, reading end"));
  }

  @Override
  public DescriptorImage.Pipe capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    long pipe = resource.stat().inode();
    boolean packets = context.census().pipe(resource).packets();
    if (now.writeOnly()) {
      return new DescriptorImage.Pipe(pipe, true, 0, packets, List.of());
    }
    try (OwnFd duplicate = context.census().duplicate(resource)) {
      int capacity = capacity(duplicate, resource);
      return new DescriptorImage.Pipe(
          pipe, false, capacity, packets, PipeContents.peek(duplicate, capacity, resource.name()));
    }
  }

  @Override
  public RemoteFd restore(DescriptorImage.Pipe image, OpenFileImage file, HuskFiles husk) {
    String key = "pipe " + image.pipe();
    RemoteFd[] ends = husk.shared(key);
    if (ends == null) {
      ends = husk.pipe(image.packetMode() ? O_DIRECT | O_NONBLOCK : O_NONBLOCK);
      husk.share(key, ends[0], ends[1]);
    }
    String taken = key + (image.writer() ? " writer" : " reader");
    boolean first = husk.shared(taken) == null;
    if (!first) {
      return husk.reopen(
          ends[image.writer() ? 1 : 0], O_NONBLOCK | (image.writer() ? O_WRONLY : 0));
    }
    husk.share(taken);
    if (!image.writer()) {
      fill(ends, image, HuskFiles.name(file), husk);
    }
    return husk.duplicate(ends[image.writer() ? 1 : 0]);
  }

  private static void fill(
      RemoteFd[] ends, DescriptorImage.Pipe image, String name, HuskFiles husk) {
    try (OwnFd writer = husk.pull(ends[1])) {
      if (FileCalls.tryFcntl(writer.number(), FileCalls.F_SETPIPE_SZ, image.capacity()) < 0) {
        husk.note(name + ": the pipe has not got back its capacity of " + image.capacity());
      }
      PipeContents.write(writer, image.packets(), name);
    }
  }

  static int capacity(OwnFd duplicate, DescriptorResource resource) {
    return (int)
        Sys.check(
            "fcntl",
            resource.name(),
            FileCalls.tryFcntl(duplicate.number(), FileCalls.F_GETPIPE_SZ, 0));
  }
}
