// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.memory.AreaPlan.Content;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.trace.InjectionPlace;
import dev.vmckpt.ckpt.trace.Leftovers;
import dev.vmckpt.spi.AreaClaim;
import dev.vmckpt.spi.AreaResource;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.FileIdentity;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is to become of every area of an address space. Made while the target runs, from {@code
 * smaps}; looks and does not touch.
 */
public final class AddressSpacePlan {
  private static final int PROT_WRITE = 2;
  private static final int PROT_EXEC = 4;
  private static final int RED_ZONE = 128;
  private static final String MEMFD = "/memfd:";

  /**
   * A main stack is 132 KiB at its birth; what is smaller was cut by somebody, and its end is in
   * use.
   */
  private static final long STACK_MINIMUM = 128 << 10;

  private final int pid;
  private final List<AreaPlan> areas = new ArrayList<>();
  private final List<ProcArea> kernelAreas = new ArrayList<>();
  private final Map<String, Long> identities = new HashMap<>();
  private @Nullable Path parentFolder;

  private final AreaOwners owners;

  /** Finds an adapter for an area that is no ordinary memory. */
  public interface AreaOwners {
    /** Who carries it and how; null if nobody does. */
    @Nullable AreaOwner owner(AreaResource area);
  }

  /**
   * An adapter and what it says of an area.
   *
   * @param adapter its name
   */
  public record AreaOwner(String adapter, AreaClaim claim) {}

  /**
   * @param pid the target
   * @param found its areas
   * @param descriptors what it has open, to find the descriptor behind a shared mapping
   * @param owners asked about the memory of devices
   */
  public AddressSpacePlan(
      int pid, List<ProcArea> found, List<DescriptorResource> descriptors, AreaOwners owners) {
    this.pid = pid;
    this.owners = owners;
    List<ProcArea> leftovers = Leftovers.among(pid, found);
    for (ProcArea area : found) {
      if (isKernelArea(area)) {
        if (!area.path().equals("[vsyscall]")) {
          kernelAreas.add(area);
        }
      } else if (!leftovers.contains(area)) {
        areas.add(plan(area, descriptors));
      }
    }
    joinShared();
  }

  /**
   * Shared memory that is mapped at several places must come back as one memory, and a memfd with
   * its name: their areas are numbered by the first area of the same memory.
   */
  private void joinShared() {
    for (int i = 0; i < areas.size(); i++) {
      AreaPlan area = areas.get(i);
      if (area.content() != Content.SHARED) {
        continue;
      }
      int first = i;
      boolean twice = false;
      for (int j = 0; j < areas.size(); j++) {
        if (j != i && sameMemory(area, areas.get(j))) {
          first = Math.min(first, j);
          twice |= overlap(area.area(), areas.get(j).area());
        }
      }
      if (twice || area.area().path().startsWith(MEMFD)) {
        areas.set(i, area.joined(first));
      }
    }
  }

  private static boolean sameMemory(AreaPlan a, AreaPlan b) {
    return b.content() == Content.SHARED && a.area().inode() == b.area().inode();
  }

  private static boolean overlap(ProcArea a, ProcArea b) {
    return a.offset() < b.offset() + b.length() && b.offset() < a.offset() + a.length();
  }

  List<AreaPlan> areas() {
    return areas;
  }

  /** {@code [vvar]}, {@code [vdso]} and their like, ascending. */
  public List<ProcArea> kernelAreas() {
    return kernelAreas;
  }

  /** The folder of the snapshot that the target had been restored from, or null. */
  public @Nullable Path parentFolder() {
    return parentFolder;
  }

  /** What stands in the way. */
  public List<Refusal> refusals() {
    List<Refusal> refusals = new ArrayList<>();
    for (AreaPlan area : areas) {
      if (area.refusal() != null) {
        refusals.add(
            new Refusal(
                area.name() + " " + area.area().path(),
                area.refusal(),
                area.remedy() == null ? "nothing can be done about it" : area.remedy()));
      }
    }
    return refusals;
  }

  /**
   * What {@code inspect} says: one line for each area as {name, path, summary, refusal, remedy,
   * adapter}; the last is null for the checkpointer's own.
   */
  public List<@Nullable String[]> describe() {
    List<@Nullable String[]> lines = new ArrayList<>();
    for (AreaPlan area : areas) {
      lines.add(
          new @Nullable String[] {
            area.name(),
            area.area().path(),
            area.summary(),
            area.refusal(),
            area.remedy(),
            area.adapter()
          });
    }
    return lines;
  }

  /** The executable areas as pairs of start and end, those of C libraries first. */
  public List<long[]> executableAreas() {
    List<long[]> code = new ArrayList<>();
    for (AreaPlan area : areas) {
      if ((area.area().protection() & PROT_EXEC) != 0) {
        String path = area.area().path();
        boolean library =
            path.contains("/libc.") || path.contains("/libc-") || path.contains("musl");
        code.add(library ? 0 : code.size(), new long[] {area.area().start(), area.area().end()});
      }
    }
    return code;
  }

  /** The area an address lies in as a pair of start and end, or null. */
  public long @Nullable [] areaAt(long address) {
    for (AreaPlan area : areas) {
      if (area.area().start() <= address && address < area.area().end()) {
        return new long[] {area.area().start(), area.area().end()};
      }
    }
    return null;
  }

  /** Whether the area that starts there is the main stack. */
  public boolean isMainStack(long start) {
    for (AreaPlan area : areas) {
      if (area.area().start() == start) {
        return area.area().path().equals("[stack]");
      }
    }
    return false;
  }

  /**
   * The far end of the main stack: memory that nothing uses unless the stack is nearly full.
   *
   * @param stackPointer the leading thread's
   * @return null if there is no main stack, or the leading thread is near that end
   */
  public @Nullable InjectionPlace mainStackEnd(long stackPointer) {
    for (AreaPlan area : areas) {
      ProcArea stack = area.area();
      if (stack.path().equals("[stack]") && stack.length() >= STACK_MINIMUM) {
        long top = stack.start() + InjectionPlace.BYTES + RED_ZONE;
        boolean near = stackPointer >= stack.start() && stackPointer < top;
        return near ? null : new InjectionPlace(new RemoteAddress(stack.start()));
      }
    }
    return null;
  }

  /** Pairs of start and end of the private areas that a fork would leave out (MADV_DONTFORK). */
  public List<long[]> leftOutByFork() {
    return withFlag("dc");
  }

  /** Pairs of start and end of the areas that a fork would empty (MADV_WIPEONFORK). */
  public List<long[]> wipedByFork() {
    return withFlag("wf");
  }

  private List<long[]> withFlag(String flag) {
    List<long[]> found = new ArrayList<>();
    for (AreaPlan area : areas) {
      if (area.has(flag) && !area.area().shared() && area.content() != Content.NOTHING) {
        found.add(new long[] {area.area().start(), area.area().end()});
      }
    }
    return found;
  }

  private static boolean isKernelArea(ProcArea area) {
    return area.path().startsWith("[v");
  }

  private AreaPlan plan(ProcArea area, List<DescriptorResource> descriptors) {
    List<String> flags = area.vmFlags();
    String path = area.path();
    if (flags.contains("ht")) {
      return AreaPlan.refused(
          area,
          "huge pages (hugetlbfs)",
          "huge pages of hugetlbfs cannot be carried yet",
          "use transparent huge pages (for QEMU: no -mem-path on hugetlbfs)");
    }
    if (flags.contains("ss")) {
      return AreaPlan.refused(
          area,
          "a shadow stack",
          "a shadow stack cannot be carried yet",
          "start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
    }
    if (flags.contains("um") || flags.contains("uw") || flags.contains("ui")) {
      return AreaPlan.refused(
          area,
          "watched by userfaultfd",
          "another program handles its page faults",
          "end that migration or tracking first");
    }
    if (flags.contains("io")
        || flags.contains("pf")
        || path.startsWith("anon_inode:")
        || path.startsWith("/[aio]")
        || (path.startsWith("/dev/")
            && !path.equals("/dev/zero")
            && !path.startsWith("/dev/shm/"))) {
      AreaOwner owner = owners.owner(resource(area));
      if (owner != null) {
        return AreaPlan.claimed(area, owner);
      }
      return AreaPlan.refused(
          area,
          "a device's memory",
          "it is the memory of a device or of the kernel, and no adapter carries it",
          path.startsWith("/[aio]")
              ? "use threads instead of Linux AIO (for QEMU: aio=threads)"
              : "detach the device from the target");
    }
    if (area.inode() == 0 || path.startsWith("[")) {
      return AreaPlan.carried(area, Content.OWN, Source.ANONYMOUS, null, "private memory");
    }
    return area.shared() ? planShared(area, descriptors) : planPrivateFile(area);
  }

  private AreaResource resource(ProcArea area) {
    return new AreaResource(
        pid,
        new RemoteAddress(area.start()),
        new RemoteAddress(area.end()),
        area.offset(),
        area.path());
  }

  private AreaPlan planShared(ProcArea area, List<DescriptorResource> descriptors) {
    String path = area.path();
    if (path.equals("/dev/zero") && area.deleted()) {
      return AreaPlan.carried(
          area,
          Content.SHARED,
          Source.SHARED_ANONYMOUS,
          null,
          "shared memory, copied in the pause");
    }
    if (path.startsWith(MEMFD)) {
      for (DescriptorResource descriptor : descriptors) {
        if (descriptor.stat().inode() == area.inode() && descriptor.link().startsWith(MEMFD)) {
          return new AreaPlan(
              area,
              Content.NOTHING,
              Source.DESCRIPTOR,
              null,
              descriptor.fd().number(),
              "maps " + descriptor.name(),
              null,
              null,
              null);
        }
      }
      return AreaPlan.carried(
          area,
          Content.SHARED,
          Source.SHARED_ANONYMOUS,
          null,
          "a memfd without a descriptor, copied in the pause");
    }
    if (path.startsWith("/SYSV")) {
      return AreaPlan.refused(
          area,
          "System V shared memory",
          "System V shared memory cannot be carried yet",
          "use POSIX shared memory or a file");
    }
    boolean mayWrite = (area.protection() & PROT_WRITE) != 0 || area.vmFlags().contains("mw");
    FileIdentity file = identify(area);
    if (file == null || area.deleted()) {
      return AreaPlan.refused(
          area,
          "a shared mapping of a deleted file",
          "its file is gone, and others may share it",
          "keep the file while the target runs");
    }
    if (mayWrite && (area.protection() & PROT_WRITE) != 0) {
      return AreaPlan.refused(
          area,
          "a shared mapping of a file",
          "it writes to a file that others may write to as well",
          "map it privately, or use a memfd (for QEMU: memory-backend-memfd)");
    }
    return AreaPlan.carried(
        area, Content.NOTHING, Source.SHARED_FILE, file, "read from its file again");
  }

  private AreaPlan planPrivateFile(ProcArea area) {
    if (mapsImage(area)) {
      return AreaPlan.carried(
          area,
          Content.OWN_AND_IMAGE,
          Source.ANONYMOUS,
          null,
          "private memory, partly still in the image it was restored from");
    }
    FileIdentity file = area.deleted() ? null : identify(area);
    if (file == null) {
      return AreaPlan.carried(
          area,
          Content.WHOLE_FILE,
          Source.ANONYMOUS,
          null,
          "its file was deleted or replaced: its content is saved");
    }
    return AreaPlan.carried(area, Content.OWN, Source.FILE, file, "its file, and what it changed");
  }

  /** Whether an area is mapped from the pages of a snapshot; notes the snapshot's folder. */
  private boolean mapsImage(ProcArea area) {
    Path path = Path.of(area.path().isEmpty() ? "/" : area.path());
    Path folder = path.getParent();
    if (folder == null || !folder.endsWith(PagesFile.FOLDER)) {
      return false;
    }
    try (FileData file = new FileData(pid, area.start(), area.end())) {
      if (!file.startsWith(PagesFile.MAGIC)) {
        return false;
      }
      parentFolder = folder.getParent();
      return true;
    } catch (SyscallException e) {
      return false;
    }
  }

  /** The file behind an area if it still stands at its path, else null. */
  private @Nullable FileIdentity identify(ProcArea area) {
    Path path = Path.of(area.path());
    try {
      Long inode = identities.get(area.path());
      if (inode == null) {
        inode = ((Number) Files.getAttribute(path, "unix:ino")).longValue();
        identities.put(area.path(), inode);
      }
      if (inode != area.inode()) {
        return null;
      }
      return FileIdentities.of(path);
    } catch (IOException e) {
      return null;
    }
  }
}
