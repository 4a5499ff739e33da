// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.memory.PagesFile.Extent;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.FileIdentity;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Maps the areas of an image into a husk with an empty address space. Big private areas are mapped
 * from the file of pages, so that a restore takes the same time whatever the size of the guest; all
 * others are read.
 *
 * <p>The order within an area: mapped writable, advice, contents, final protection; locking last,
 * for it faults everything in.
 */
public final class AreaRestorer {
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int MAP_SHARED = 1;
  private static final int MAP_PRIVATE = 2;
  private static final int MAP_FIXED = 0x10;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MAP_GROWSDOWN = 0x100;
  private static final int MAP_NORESERVE = 0x4000;
  private static final int O_RDONLY_CLOEXEC = 02000000;
  private static final int O_RDWR = 2;
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int MFD_CLOEXEC = 1;
  private static final long PR_SET_VMA = 0x53564d41L;
  private static final int ARCH_MAP_VDSO_64 = 0x2003;
  private static final int MLOCK_ONFAULT = 1;
  private static final long MAX_READ = 1 << 30;

  /** Below this, reading is faster than the faults that mapping costs later. */
  private static final long LAZY_MINIMUM = 256 << 10;

  /** The advice that stands behind a flag of smaps: madvise(2). */
  private static final Map<String, Integer> ADVICE =
      Map.of("rr", 1, "sr", 2, "dc", 10, "mg", 12, "hg", 14, "nh", 15, "dd", 16, "wf", 18);

  private final Husk husk;
  private final MemoryImage image;
  private final Extent[] extents;
  private final boolean lazy;
  private final Map<Integer, Integer> memories = new HashMap<>();
  private boolean anyLazy;

  /**
   * @param folder the folder of the snapshot
   * @param lazy whether big areas may stay in the image
   * @throws dev.vmckpt.spi.error.SnapshotException if the file of pages is not what the image says
   */
  public AreaRestorer(Husk husk, MemoryImage image, Path folder, boolean lazy) {
    this.husk = husk;
    this.image = image;
    this.lazy = lazy;
    extents = PagesFile.readExtents(folder, image.pagesFile());
  }

  /** The files an image needs that are not there or not the same any more. */
  public static List<Refusal> missingFiles(MemoryImage image) {
    Map<String, Refusal> refusals = new LinkedHashMap<>();
    Map<FileIdentity, String> seen = new LinkedHashMap<>();
    List<FileIdentity> needed = new ArrayList<>();
    needed.add(image.layout().executable());
    for (AreaImage area : image.areas()) {
      if (area.file() != null) {
        needed.add(area.file());
      }
    }
    for (FileIdentity file : needed) {
      String difference = seen.get(file);
      if (difference == null) {
        difference = FileIdentities.difference(file);
        seen.put(file, difference);
      }
      if (!difference.isEmpty()) {
        refusals.put(
            file.path(),
            new Refusal(
                "file " + file.path(),
                "the process maps it, and " + difference,
                "put back the version of "
                    + file.bytes()
                    + " bytes that the snapshot was taken with"));
      }
    }
    return List.copyOf(refusals.values());
  }

  /** Whether some of the memory was left in the image. */
  public boolean anyLazy() {
    return anyLazy;
  }

  /** Makes the kernel's own areas: the data pages of the vDSO and its code behind them. */
  public void mapVdso() {
    if (image.vdso().value() != 0) {
      husk.call(
          "arch_prctl(ARCH_MAP_VDSO_64)",
          "the vDSO at " + image.vdso(),
          Nr.ARCH_PRCTL,
          ARCH_MAP_VDSO_64,
          image.vdso().value());
    }
  }

  /**
   * Maps everything that does not depend on a descriptor of the target. The husk must have no
   * descriptor but {@code pagesFd}.
   *
   * @param pagesFd a descriptor of the file of pages in the husk, above all others
   */
  public void mapAreas(int pagesFd) {
    makeMemories(pagesFd);
    for (AreaImage area : image.areas()) {
      if (area.source() == Source.DESCRIPTOR) {
        // Kept free until its descriptor is there: what is made meanwhile may map memory of its
        // own, as KVM does on VMX (the pages of its task state and its APIC).
        queueMap(area, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
      } else {
        map(area, pagesFd, firstExtent(area.imageOffset()));
      }
    }
    for (int fd : memories.values()) {
      husk.queue("close", "shared memory", Nr.CLOSE, fd);
    }
    husk.flush();
  }

  /** Makes a memfd for each memory that areas share, as long as the last of them needs. */
  private void makeMemories(int above) {
    for (AreaImage area : image.areas()) {
      if (area.source() != Source.SHARED_MEMORY) {
        continue;
      }
      String subject = "shared memory at " + area.start();
      Integer fd = memories.get(area.descriptor());
      if (fd == null) {
        String name = area.name() == null ? "shared" : area.name();
        byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
        husk.write(husk.scratch(), Arrays.copyOf(utf8, utf8.length + 1));
        int low =
            (int)
                husk.call(
                    "memfd_create", subject, Nr.MEMFD_CREATE, husk.scratch().value(), MFD_CLOEXEC);
        fd = (int) husk.call("fcntl(F_DUPFD)", subject, Nr.FCNTL, low, F_DUPFD_CLOEXEC, above);
        husk.call("close", subject, Nr.CLOSE, low);
        memories.put(area.descriptor(), fd);
        long bytes = 0;
        for (AreaImage other : image.areas()) {
          if (other.source() == Source.SHARED_MEMORY && other.descriptor() == area.descriptor()) {
            bytes = Math.max(bytes, other.fileOffset() + other.length());
          }
        }
        husk.call("ftruncate", subject, Nr.FTRUNCATE, fd, bytes);
      }
    }
  }

  /**
   * The first extent at or behind an offset. Areas do not ascend in the file of pages as they do in
   * memory: shared ones come first.
   */
  private int firstExtent(long offset) {
    int low = 0;
    int high = extents.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (extents[middle].offset() < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Maps the areas that show a memfd of the target, when the descriptors are there. */
  public void mapDescriptorAreas(List<OpenFileImage> files) {
    for (AreaImage area : image.areas()) {
      if (area.source() != Source.DESCRIPTOR) {
        continue;
      }
      for (OpenFileImage file : files) {
        if (file.id() == area.descriptor()) {
          int number = file.descriptors().get(0).number();
          // What was never to be written must not stand in the way of a seal against writing.
          boolean writable = has(area, "mw");
          int fd = writable ? number : husk.open("/proc/self/fd/" + number, O_RDONLY_CLOEXEC);
          int flags = MAP_SHARED | MAP_FIXED | reserve(area);
          queueMap(area, area.protection(), flags, fd, area.fileOffset());
          if (!writable) {
            husk.queue("close", "area " + area.start(), Nr.CLOSE, fd);
          }
          advise(area);
          lock(area);
        }
      }
    }
    husk.flush();
  }

  private void map(AreaImage area, int pagesFd, int firstExtent) {
    boolean mapped =
        lazy
            && area.source() == Source.ANONYMOUS
            && area.dataBytes() >= LAZY_MINIMUM
            && !has(area, "gd")
            && !has(area, "wf")
            && !has(area, "lo");
    if (mapped) {
      anyLazy = true;
      queueMap(
          area,
          area.protection(),
          MAP_PRIVATE | MAP_FIXED | reserve(area),
          pagesFd,
          area.imageOffset());
      advise(area);
      name(area);
      return;
    }
    boolean fill = area.dataBytes() > 0;
    int protection = fill ? area.protection() | PROT_READ | PROT_WRITE : area.protection();
    switch (area.source()) {
      case FILE, SHARED_FILE -> mapFile(area, protection);
      case SHARED_MEMORY -> {
        int fd = memories.getOrDefault(area.descriptor(), -1);
        queueMap(area, protection, MAP_SHARED | MAP_FIXED | reserve(area), fd, area.fileOffset());
      }
      case SHARED_ANONYMOUS ->
          queueMap(area, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | reserve(area), -1, 0);
      default -> {
        int down = has(area, "gd") ? MAP_GROWSDOWN : 0;
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | down | reserve(area);
        queueMap(area, protection, flags, -1, 0);
      }
    }
    advise(area);
    name(area);
    if (fill) {
      fill(area, pagesFd, firstExtent);
      if (protection != area.protection()) {
        husk.queue(
            "mprotect",
            area.start().toString(),
            Nr.MPROTECT,
            area.start().value(),
            area.length(),
            area.protection());
      }
    }
    lock(area);
  }

  private void mapFile(AreaImage area, int protection) {
    String path = area.file() == null ? "" : area.file().path();
    boolean shared = area.source() == Source.SHARED_FILE;
    int access = shared && has(area, "mw") ? O_RDWR : 0;
    husk.queue("open", path, Nr.OPENAT, -100, husk.place(path), O_RDONLY_CLOEXEC | access);
    // The lowest free number is 0: the husk has nothing open below the file of pages.
    int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | reserve(area);
    queueMap(area, protection, flags, 0, area.fileOffset());
    husk.queue("close", path, Nr.CLOSE, 0);
  }

  private void fill(AreaImage area, int pagesFd, int firstExtent) {
    long limit = area.imageOffset() + area.length();
    for (int i = firstExtent; i < extents.length && extents[i].offset() < limit; ) {
      long start = extents[i].offset();
      long end = start;
      while (i < extents.length
          && extents[i].offset() == end
          && end < limit
          && end - start < MAX_READ) {
        end += extents[i++].length();
      }
      husk.queue(
          "read",
          "pages of " + area.start(),
          Nr.PREAD64,
          pagesFd,
          area.start().value() + start - area.imageOffset(),
          end - start,
          start);
    }
  }

  private void queueMap(AreaImage area, int protection, int flags, long fd, long offset) {
    husk.queue(
        "mmap",
        "area " + area.start(),
        Nr.MMAP,
        area.start().value(),
        area.length(),
        protection,
        flags,
        fd,
        offset);
  }

  private void advise(AreaImage area) {
    for (String flag : area.vmFlags()) {
      Integer advice = ADVICE.get(flag);
      if (advice != null) {
        husk.queueOptional(Nr.MADVISE, area.start().value(), area.length(), advice);
      }
    }
  }

  private void name(AreaImage area) {
    if (area.name() != null && area.source() != Source.SHARED_MEMORY) {
      husk.queueOptional(
          Nr.PRCTL, PR_SET_VMA, 0, area.start().value(), area.length(), husk.place(area.name()));
    }
  }

  private void lock(AreaImage area) {
    if (has(area, "lo")) {
      husk.queue(
          "mlock",
          "area " + area.start(),
          Nr.MLOCK2,
          area.start().value(),
          area.length(),
          has(area, "lf") ? MLOCK_ONFAULT : 0);
    }
  }

  private static int reserve(AreaImage area) {
    return has(area, "nr") ? MAP_NORESERVE : 0;
  }

  private static boolean has(AreaImage area, String flag) {
    return area.vmFlags().contains(flag);
  }
}
