// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/**
 * memfd_create(2). Its pages are copied in the pause, holes left out, into a file of their own:
 * mappings of it are shared, so a fork of the target would not keep them. Several open file
 * descriptions of one memfd have one such file.
 */
final class MemFd implements KernelObject<DescriptorImage.MemFd> {
  private static final String LINK = "/memfd:";
  private static final String DELETED = " (deleted)";

  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int MFD_NOEXEC_SEAL = 8;
  private static final int F_SEAL_SEAL = 1;
  private static final int F_SEAL_EXEC = 0x20;

  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;
  private static final int O_CREAT = 0100;
  private static final int O_EXCL = 0200;
  private static final int ACCESS = 3;
  private static final int PRIVATE = 0600;
  private static final int SEEK_SET = 0;
  private static final long TMPFS = 0x01021994;

  @Override
  public String name() {
    return "memfd";
  }

  @Override
  public String carries() {
    return "with its contents and seals";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.MemFd> imageType() {
    return DescriptorImage.MemFd.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    if (!resource.stat().isRegular()
        || !resource.link().startsWith(LINK)
        || resource.stat().links() != 0) {
      return Optional.empty();
    }
    String summary =
        "memory file "
            + nameOf(resource)
            + ", up to "
            + (resource.stat().bytes() >> 20)
            + " MiB copied in the pause";
    return Optional.of(
        FileCalls.fileSystem(resource.procPath()) == TMPFS
            ? Claim.carried(summary)
            : Claim.refused(
                summary,
                "its pages are huge ones of hugetlbfs",
                "run the target without them, or leave it out: --drop " + resource.name()));
  }

  @Override
  public DescriptorImage.MemFd capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    String file = "memfd-" + resource.stat().inode() + ".pages";
    String to = context.folder().resolve(file).toString();
    int seals;
    try (OwnFd duplicate = context.census().duplicate(resource)) {
      seals = (int) FileCalls.tryFcntl(duplicate.number(), FileCalls.F_GET_SEALS, 0);
    }
    // Opened anew: a duplicate would share its offset with the target.
    try (OwnFd from = FileCalls.open(resource.procPath(), 0, 0)) {
      FileStat stat = FileCalls.stat("/proc/self/fd/" + from.number());
      long bytes = stat == null ? resource.stat().bytes() : stat.bytes();
      long made = FileCalls.tryOpen(to, O_WRONLY | O_CREAT | O_EXCL, PRIVATE);
      if (made != -Errno.EEXIST) { // else another open file description of the same memfd was here
        try (OwnFd target = new OwnFd(Sys.check("open", to, made))) {
          Sys.call("ftruncate", to, Nr.FTRUNCATE, target.number(), bytes, 0);
          Sys.check("copy", to, FileCalls.tryCopySparse(from.number(), target.number()));
        }
      }
      return new DescriptorImage.MemFd(
          nameOf(resource), bytes, Math.max(0, seals), file, now.position());
    }
  }

  @Override
  public RemoteFd restore(DescriptorImage.MemFd image, OpenFileImage file, HuskFiles husk) {
    String key = "memfd " + image.pagesFile();
    RemoteFd fd = make(image, file, key, husk);
    husk.process()
        .call("lseek", HuskFiles.name(file), Nr.LSEEK, fd.number(), image.position(), SEEK_SET);
    return fd;
  }

  private static RemoteFd make(
      DescriptorImage.MemFd image, OpenFileImage file, String key, HuskFiles husk) {
    RemoteFd[] made = husk.shared(key);
    int access = file.statusFlags() & ACCESS;
    if (made == null) {
      RemoteFd fd = make(image, HuskFiles.name(file), husk);
      husk.share(key, fd);
      if (image.seals() != 0) {
        // Not before the areas that map it are made: a seal may forbid to map it for writing.
        husk.atTheEnd(new Seal(HuskFiles.name(file), fd, image.seals()));
      }
      return access == O_RDWR ? husk.duplicate(fd) : husk.reopen(fd, access);
    }
    return husk.reopen(made[0], access);
  }

  private record Seal(String name, RemoteFd fd, int seals) implements HuskFiles.Later {
    @Override
    public void run(HuskFiles husk) {
      try (OwnFd pulled = husk.pull(fd)) {
        int has = (int) FileCalls.tryFcntl(pulled.number(), FileCalls.F_GET_SEALS, 0);
        if (has == seals) {
          return;
        }
        Sys.check(
            "fcntl",
            "seals of " + name,
            FileCalls.tryFcntl(pulled.number(), FileCalls.F_ADD_SEALS, seals & ~has));
      }
    }
  }

  private static RemoteFd make(DescriptorImage.MemFd image, String name, HuskFiles husk) {
    int flags = MFD_CLOEXEC;
    if (image.seals() != F_SEAL_SEAL) {
      flags |= MFD_ALLOW_SEALING;
    }
    if ((image.seals() & F_SEAL_EXEC) != 0) {
      flags |= MFD_NOEXEC_SEAL;
    }
    RemoteFd fd =
        husk.park(
            husk.process()
                .call("memfd_create", name, Nr.MEMFD_CREATE, husk.put(image.name()), flags));
    husk.process().call("ftruncate", name, Nr.FTRUNCATE, fd.number(), image.bytes());
    String pages = husk.snapshotFolder().resolve(image.pagesFile()).toString();
    long opened = FileCalls.tryOpen(pages, 0, 0);
    if (opened == -Errno.ENOENT) {
      throw new SnapshotException(
          SnapshotException.Fault.MISSING, "the pages of a memory file are missing: " + pages);
    }
    try (OwnFd from = new OwnFd(Sys.check("open", pages, opened));
        OwnFd to = husk.pull(fd)) {
      Sys.check("copy", pages, FileCalls.tryCopySparse(from.number(), to.number()));
    }
    return fd;
  }

  private static String nameOf(DescriptorResource resource) {
    String name = resource.link().substring(LINK.length());
    return name.endsWith(DELETED) ? name.substring(0, name.length() - DELETED.length()) : name;
  }
}
