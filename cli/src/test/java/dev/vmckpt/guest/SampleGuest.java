// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.memory.FileIdentities;
import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.SystemImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.store.Draft;
import dev.vmckpt.store.Samples;
import dev.vmckpt.store.Store;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * A snapshot of a KVM guest that never ran: two vcpus in long mode, and memory of every kind a
 * monitor gives its guests.
 *
 * <pre>
 * gpa        bytes   memory of the process
 * 00000000   2 MiB   private and anonymous; page tables at 10000
 * 00200000   1 MiB   a memfd, from its second page on
 * 00300000  64 KiB   of which the process has only the first half
 * fffc0000 256 KiB   read-only: a private mapping of a file, one page of which was changed
 *
 * linear                 gpa
 * 0000000000400000       5000       4 KiB, not writable
 * ffff888000000000       0          1 GiB
 * ffffffff80000000       0          2 MiB, not executable
 * ffffffffffc00000       fffc0000   2 MiB: fffc0000 lies in the one that ends at 4 GiB
 * </pre>
 */
public final class SampleGuest {
  public static final long RIP = 0xffffffff80001234L;
  public static final long RSP = 0xffff888000180000L;
  public static final int BIOS_BYTES = 256 << 10;

  static final int PAGE = SavedPages.PAGE;
  private static final long ANONYMOUS = 0x7f0000000000L;
  private static final long MEMFD = 0x7f1000000000L;
  private static final long HALF = 0x7f2000000000L;
  private static final long BIOS = 0x7f3000000000L;

  private final Random random;
  private final Map<Long, byte[]> pages = new TreeMap<>();

  /** Everything in it follows from the seed. */
  public SampleGuest(long seed) {
    random = new Random(seed);
  }

  /** What lies at a guest-physical address, which must be that of a page. */
  public byte[] page(long gpa) {
    return pages.getOrDefault(gpa, new byte[PAGE]);
  }

  /** The guest-physical addresses of all pages that are not zero. */
  public List<Long> filled() {
    return List.copyOf(pages.keySet());
  }

  private byte[] randomPage() {
    byte[] page = new byte[PAGE];
    random.nextBytes(page);
    return page;
  }

  /**
   * Saves one.
   *
   * @param bios where to put the file that the BIOS is mapped from
   */
  public Stored save(Store store, String name, Path bios) throws IOException {
    try (Draft draft = store.begin(name, List.of())) {
      return draft.commit(write(draft.folder(), bios), "test", ProgressListener.SILENT);
    }
  }

  private Captured write(Path folder, Path bios) throws IOException {
    SavedPages saved = new SavedPages(folder);

    Map<Integer, byte[]> ram = new TreeMap<>();
    for (int i = 0; i < 60; i++) {
      ram.put(random.nextInt(512), randomPage());
    }
    ram.put(0x5, randomPage());
    ram.put(0x180, randomPage());
    tables(ram);
    saved.area(ANONYMOUS, 2 << 20, Source.ANONYMOUS, null, 0, -1, ram);
    ram.forEach((page, bytes) -> pages.put((long) PAGE * page, bytes));

    // The first page of the memfd is not the guest's, and its last pages are a hole.
    byte[] memfd = new byte[(1 << 20) + PAGE];
    for (int page = 0; page < 100; page += 3) {
      byte[] bytes = randomPage();
      System.arraycopy(bytes, 0, memfd, page * PAGE, PAGE);
      if (page > 0) {
        pages.put(0x200000L + (long) PAGE * (page - 1), bytes);
      }
    }
    Files.write(folder.resolve("memfd-7.pages"), memfd);
    saved.area(MEMFD, 1 << 20, Source.DESCRIPTOR, null, PAGE, 0, Map.of());

    byte[] half = randomPage();
    saved.area(HALF, 32 << 10, Source.SHARED_ANONYMOUS, null, 0, -1, Map.of(7, half));
    pages.put(0x307000L, half);

    byte[] rom = new byte[BIOS_BYTES];
    random.nextBytes(rom);
    Files.write(bios, rom);
    byte[] changed = randomPage();
    saved.area(BIOS, BIOS_BYTES, Source.FILE, FileIdentities.of(bios), 0, -1, Map.of(63, changed));
    System.arraycopy(changed, 0, rom, 63 * PAGE, PAGE);
    for (int page = 0; page < 64; page++) {
      byte[] bytes = new byte[PAGE];
      System.arraycopy(rom, page * PAGE, bytes, 0, PAGE);
      pages.put(0xfffc0000L + (long) PAGE * page, bytes);
    }

    Map<String, FileEntry> files = saved.finish();
    DescriptorImage memory = new DescriptorImage.MemFd("ram", memfd.length, 0, "memfd-7.pages", 0);
    Captured sample =
        Samples.captured(
            List.of(
                memory,
                kvm(KvmImage.of(new SystemImage(12))),
                kvm(KvmImage.of(vm())),
                kvm(KvmImage.of(new VcpuImage(0, vcpu(0), new byte[0]))),
                kvm(KvmImage.of(new VcpuImage(1, vcpu(1), new byte[0])))),
            files);
    ProcessImage process = sample.processes().get(0);
    MemoryImage image =
        new MemoryImage(
            SavedPages.FILE,
            process.memory().layout(),
            RemoteAddress.NULL,
            RemoteAddress.NULL,
            saved.areas());
    return new Captured(
        null,
        sample.created(),
        sample.host(),
        sample.capture(),
        List.of(
            new ProcessImage(
                process.pid(),
                "monitor",
                process.commandLine(),
                image,
                process.threads(),
                process.signals(),
                process.timers(),
                process.clocks(),
                process.credentials(),
                process.limits(),
                process.fs(),
                process.files())),
        files,
        List.of());
  }

  private static DescriptorImage kvm(KvmImage image) {
    return new DescriptorImage.Connection("kvm", "KVM", RecordJson.toTree(image));
  }

  /** Page tables of four levels at 10000 (top) to 15000. */
  private static void tables(Map<Integer, byte[]> ram) {
    table(ram, 0x10000, Map.of(0, 0x11007L, 0x111, 0x12007L, 0x1ff, 0x13003L));
    table(ram, 0x11000, Map.of(0, 0x14007L));
    table(ram, 0x12000, Map.of(0, 0x83L)); // 1 GiB
    table(ram, 0x13000, Map.of(0x1fe, 0x15003L, 0x1ff, 0x16003L));
    table(ram, 0x14000, Map.of(2, 0x17007L));
    table(ram, 0x15000, Map.of(0, 0x8000000000000083L)); // 2 MiB
    table(ram, 0x16000, Map.of(0x1fe, 0xffe00083L)); // 2 MiB
    table(ram, 0x17000, Map.of(0, 0x5005L));
  }

  private static void table(Map<Integer, byte[]> ram, int gpa, Map<Integer, Long> entries) {
    byte[] bytes = new byte[PAGE];
    ByteBuffer table = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    entries.forEach((index, entry) -> table.putLong(8 * index, entry));
    ram.put(gpa / PAGE, bytes);
  }

  private static VmImage vm() {
    return new VmImage(
        Map.of("irqchip", chips()),
        List.of(
            slot(0, 0, 2 << 20, ANONYMOUS, 0),
            slot(1, 0x200000, 1 << 20, MEMFD, 1),
            slot(2, 0x300000, 64 << 10, HALF, 0),
            slot(3, 0xfffc0000L, BIOS_BYTES, BIOS, 2)),
        List.of(),
        List.of(),
        new SettingsImage(Finding.Source.ASSUMED, 0, List.of()),
        1,
        2_000_000);
  }

  private static SlotImage slot(int id, long gpa, long bytes, long hva, int flags) {
    return new SlotImage(id, 0, flags, gpa, bytes, new RemoteAddress(hva), Finding.Source.FOUND);
  }

  private static byte[] chips() {
    byte[] bytes = new byte[3 * 520];
    ByteBuffer chips = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    chips.putInt(520, 1).putInt(1040, 2).putLong(1048, 0xfec00000L);
    return bytes;
  }

  /** Registers of vcpu n: r8 is 0x800 + n, and xmm0 and ymm0 hold 1 to 32. */
  private static Map<String, byte[]> vcpu(int id) {
    Map<String, byte[]> groups = new LinkedHashMap<>();
    ByteBuffer regs = struct(groups, "regs", 144);
    regs.putLong(0, 0x1122334455667788L).putLong(48, RSP - 0x1000L * id);
    regs.putLong(64, 0x800 + id).putLong(128, RIP + id).putLong(136, 0x246);
    ByteBuffer sregs = struct(groups, "sregs", 312);
    // The kernel code segment of Linux; its data segment is a null selector.
    sregs.putInt(8, -1).putShort(12, (short) 0x10).put(14, (byte) 11).put(15, (byte) 1);
    sregs.put(19, (byte) 1).put(18, (byte) 1).put(20, (byte) 1);
    sregs.putLong(96, 0xffff888000100000L + id);
    sregs.putLong(192, 0xfffffe0000001000L).putShort(200, (short) 0x7f);
    sregs.putLong(224, 0x80050033L).putLong(240, 0x10000).putLong(248, 0x6f0);
    sregs.putLong(264, 0xd01).putLong(272, 0xfee00900L);
    ByteBuffer xsave = struct(groups, "xsave", 4096);
    xsave.putShort(0, (short) 0x37f).putInt(24, 0x1f80).putLong(512, 7);
    for (int i = 0; i < 16; i++) {
      xsave.put(160 + i, (byte) (i + 1)).put(576 + i, (byte) (i + 17));
    }
    struct(groups, "xcrs", 392).putInt(0, 1).putLong(16, 7);
    struct(groups, "msrs", 24).putInt(0, 1).putInt(8, 0xc0000102).putLong(16, 0x7777);
    ByteBuffer cpuid = struct(groups, "cpuid", 48).putInt(0, 1).putInt(8, 0xd).putInt(12, 2);
    cpuid.putInt(16, 1).putInt(20, 256).putInt(24, 576);
    struct(groups, "mp-state", 4).putInt(0, id == 0 ? 0 : 3);
    return groups;
  }

  private static ByteBuffer struct(Map<String, byte[]> groups, String name, int bytes) {
    byte[] group = new byte[bytes];
    groups.put(name, group);
    return ByteBuffer.wrap(group).order(ByteOrder.LITTLE_ENDIAN);
  }
}
