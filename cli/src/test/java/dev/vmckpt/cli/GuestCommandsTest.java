// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.guest.SampleGuest;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.store.Samples;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is shown and written of a guest is what the snapshot holds; gdb and readelf say so too. */
class GuestCommandsTest extends InProcess {
  private static final int PAGE = 4096;
  private static final int LOAD = 1;

  private final long seed = System.nanoTime();
  private final SampleGuest guest = new SampleGuest(seed);
  private Path core = Path.of("/nonexistent");

  @BeforeEach
  void save() throws IOException {
    core = temporary.resolve("guest.core");
    guest.save(Samples.store(temporary.resolve("store")), "vm", temporary.resolve("bios.bin"));
  }

  @Test
  void theSampleIsAWholeSnapshot() {
    assertThat(run("verify", "vm")).as(err).isZero();
  }

  @Test
  void showsTheGuestToPeople() {
    assertThat(run("show", "vm", "--guest")).as(err).isZero();
    assertThat(out)
        .contains("guest of 4242 monitor, recorded by kvm")
        .containsPattern(
            "(?m)^0 +long ring 0 +running +0xffffffff80001234 +0xffff888000180000 +0x10000$")
        .containsPattern("(?m)^1 +long ring 0 +halted ")
        .containsPattern("(?m)^0x0-0x1fffff +2 MiB +- +0x7f0000000000 +found$")
        .containsPattern("(?m)^0x200000-0x2fffff +1 MiB +dirty-log +0x7f1000000000 +found$")
        .containsPattern("(?m)^0xfffc0000-0xffffffff +256 KiB +readonly ")
        .containsPattern("(?m)^ioapic +24 lines at 0xfec00000$");
  }

  @Test
  void showsTheGuestToPrograms() {
    assertThat(run("show", "vm", "--guest", "--json")).as(err).isZero();
    Map<?, ?> one = (Map<?, ?>) ((List<?>) Objects.requireNonNull(object().get("guests"))).get(0);
    assertThat(one.get("adapter")).isEqualTo("kvm");
    Map<?, ?> image = (Map<?, ?>) Objects.requireNonNull(one.get("guest"));
    List<?> vcpus = (List<?>) Objects.requireNonNull(image.get("vcpus"));
    Map<?, ?> registers =
        (Map<?, ?>) Objects.requireNonNull(((Map<?, ?>) vcpus.get(1)).get("registers"));
    assertThat(registers.get("rip")).isEqualTo(SampleGuest.RIP + 1);
    assertThat((List<?>) image.get("memory")).hasSize(4);
  }

  @Test
  void aSnapshotWithoutAGuestIsWrongUsage() {
    Samples.save(Samples.store(temporary.resolve("store")), "plain");
    assertThat(run("show", "plain", "--guest")).isEqualTo(2);
    assertThat(err).contains("plain holds no virtual machine");
    assertThat(run("export", "plain", "--core", core.toString())).isEqualTo(2);
    assertThat(core).doesNotExist();
  }

  @Test
  void theCoreHoldsEveryPageAtItsPhysicalAddress() throws Exception {
    assertThat(run("export", "vm", "--core", core.toString())).as(err).isZero();
    assertThat(out).contains("2 vcpus, 3.28 MiB");
    assertThat(err).contains("0x308000-0x30ffff is left out");

    List<long[]> loads = loads(core);
    assertThat(loads).hasSize(2);
    assertThat(loads.get(0)[1]).isZero();
    assertThat(loads.get(0)[3]).isEqualTo(0x308000);
    assertThat(loads.get(1)[1]).isEqualTo(0xfffc0000L);
    assertThat(loads.get(1)[2]).isEqualTo(0xfffc0000L);
    int filled = 0;
    try (RandomAccessFile file = new RandomAccessFile(core.toFile(), "r")) {
      for (long[] load : loads) {
        for (long at = 0; at < load[3]; at += PAGE) {
          byte[] page = new byte[PAGE];
          file.seek(load[0] + at);
          file.readFully(page);
          byte[] expected = guest.page(load[2] + at);
          assertThat(page)
              .as("page " + Long.toHexString(load[2] + at) + ", seed " + seed)
              .isEqualTo(expected);
          filled += guest.filled().contains(load[2] + at) ? 1 : 0;
        }
      }
    }
    assertThat(filled).isEqualTo(guest.filled().size());
    assertThat(Files.getPosixFilePermissions(core))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertNothingIsLeft("guest.core");
  }

  @Test
  void pagesOfZerosAreHoles() throws Exception {
    assertThat(run("export", "vm", "--core", core.toString(), "--json")).as(err).isZero();
    long written = (Long) Objects.requireNonNull(object().get("writtenBytes"));
    assertThat(written).isEqualTo((long) PAGE * guest.filled().size());
    assertThat(object().get("fileBytes")).isEqualTo(Files.size(core));
    long blocks = Long.parseLong(Commands.execute("stat", "-c", "%b", core.toString()).strip());
    assertThat(blocks * 512).isLessThan(Files.size(core) - (1 << 20));
  }

  @Test
  void readelfFindsNothingWrong() throws Exception {
    assertThat(run("export", "vm", "--core", core.toString())).as(err).isZero();
    String text = Commands.execute("readelf", "--wide", "--headers", "--notes", core.toString());
    assertThat(text)
        .doesNotContainIgnoringCase("warning")
        .doesNotContainIgnoringCase("error:")
        .contains("CORE (Core file)", "X86-64")
        .containsPattern("CORE +0x00000150\tNT_PRSTATUS")
        .containsPattern("CORE +0x00000200\tNT_FPREGSET")
        .containsPattern("LINUX +0x00000340\tNT_X86_XSTATE")
        .containsPattern("QEMU +0x000001b8");
    assertThat(text.split("NT_PRSTATUS", -1)).hasSize(3);
  }

  @Test
  void gdbOpensIt() throws Exception {
    assertThat(run("export", "vm", "--core", core.toString())).as(err).isZero();
    List<Long> filled = guest.filled();
    long somewhere = filled.get(filled.size() / 3);
    String text =
        gdb(
            "info threads",
            "thread 1",
            "info registers rip rsp r8 cs eflags fs_base",
            "p/x $xmm0.v16_int8",
            "p/x $ymm0.v32_int8",
            "thread 2",
            "info registers r8 rip",
            "x/8xb " + somewhere,
            "x/8xb 0x202ff8",
            "x/8xb 0xfffffff8",
            "x/8xb 0x308000");
    assertThat(text)
        .containsPattern("(?m)^\\* 1 .*LWP 1")
        .containsPattern("(?m)^ +2 .*LWP 2")
        .containsPattern("(?m)^rip +0xffffffff80001234 ")
        .containsPattern("(?m)^rip +0xffffffff80001235 ")
        .containsPattern("(?m)^rsp +0xffff888000180000 ")
        .containsPattern("(?m)^r8 +0x800 ")
        .containsPattern("(?m)^r8 +0x801 ")
        .containsPattern("(?m)^cs +0x10 ")
        .contains(
            "0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x10}")
        .contains("0x1e, 0x1f, 0x20}")
        .contains(dumped(somewhere, 0), dumped(0x202000, 0xff8), dumped(0xfffff000L, 0xff8))
        .contains("Cannot access memory at address 0x308000")
        .doesNotContainIgnoringCase("warning");
  }

  @Test
  void gdbSeesVirtualAddresses() throws Exception {
    assertThat(run("export", "vm", "--virtual", "--core", core.toString())).as(err).isZero();
    assertThat(out).contains("4 virtual ranges");
    List<long[]> loads = loads(core);
    assertThat(loads)
        .extracting(load -> Long.toHexString(load[1]) + " " + Long.toHexString(load[2]))
        .containsExactly(
            "400000 5000", "ffff888000000000 0", "ffffffff80000000 0", "ffffffffffdc0000 fffc0000");
    assertThat(loads).extracting(load -> load[4]).containsExactly(5L, 7L, 6L, 7L);
    // What several ranges show is in the file once.
    assertThat(Files.size(core)).isLessThan((4 << 20) + 0L);

    String text =
        gdb(
            "x/8xb 0x400ff8",
            "x/8xb 0xffff888000208000",
            "x/8xb 0xffffffff80010000",
            "x/8xb 0xffffffffffdff000",
            "x/8xb 0x5000",
            "x/8xb $rsp");
    assertThat(text)
        .contains(
            dumped(0x5000, 0xff8),
            dumped(0x208000, 0),
            dumped(0x10000, 0),
            dumped(0xfffff000L, 0),
            dumped(0x180000, 0))
        .contains("Cannot access memory at address 0x5000");
  }

  @Test
  void nothingIsOverwrittenUnlessAskedFor() throws IOException {
    Files.writeString(core, "mine");
    assertThat(run("export", "vm", "--core", core.toString())).isEqualTo(2);
    assertThat(err).contains("--force");
    assertThat(core).hasContent("mine");
    assertThat(run("export", "vm", "--core", core.toString(), "--force")).as(err).isZero();
    assertThat(loads(core)).hasSize(2);
    assertNothingIsLeft("guest.core");

    Path folder = Files.createDirectory(temporary.resolve("folder"));
    assertThat(run("export", "vm", "--core", folder.toString(), "--force")).isEqualTo(2);
    Path link = Files.createSymbolicLink(temporary.resolve("link"), core);
    assertThat(run("export", "vm", "--core", link.toString(), "--force")).isEqualTo(2);
    assertThat(run("export", "vm", "--core", folder.resolve("no/core").toString())).isEqualTo(1);
    assertThat(err).contains("there is no such folder");
  }

  @Test
  void aFileThatChangedIsNotTakenForTheGuestsMemory() throws IOException {
    Files.writeString(temporary.resolve("bios.bin"), "another BIOS");
    assertThat(run("export", "vm", "--core", core.toString())).isEqualTo(3);
    assertThat(err).contains("bios.bin", "it was changed since the snapshot");
    assertThat(core).doesNotExist();
    assertNothingIsLeft();
  }

  @Test
  void aDamagedSnapshotGivesNoCore() throws IOException {
    Stored stored = Samples.store(temporary.resolve("store")).list().get(0).stored();
    Path pages = Objects.requireNonNull(stored).folder().resolve("memory/4242");
    try (RandomAccessFile file = new RandomAccessFile(pages.toFile(), "rw")) {
      file.seek(3L * PAGE);
      file.write(new byte[PAGE]);
      file.seek(4096 + 0x10000);
      file.write("damage".getBytes(StandardCharsets.UTF_8));
    }
    assertThat(run("export", "vm", "--core", core.toString())).isEqualTo(5);
    assertThat(err).contains("is damaged");
    assertNothingIsLeft();
  }

  @Test
  void aFullDiskIsLeftAsItWas() throws Exception {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root may mount a file system to fill");
    Path disk = Files.createDirectory(temporary.resolve("disk"));
    Commands.execute("mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", disk.toString());
    try {
      Path there = disk.resolve("core");
      assertThat(run("export", "vm", "--core", there.toString())).isEqualTo(1);
      assertThat(err).contains("the disk is full");
      try (Stream<Path> files = Files.list(disk)) {
        assertThat(files).isEmpty();
      }
    } finally {
      Commands.execute("umount", disk.toString());
    }
  }

  private void assertNothingIsLeft(String... more) throws IOException {
    List<String> expected = new ArrayList<>(List.of("store", "bios.bin"));
    expected.addAll(List.of(more));
    try (Stream<Path> files = Files.list(temporary)) {
      assertThat(files.map(path -> String.valueOf(path.getFileName())))
          .containsExactlyInAnyOrderElementsOf(expected);
    }
  }

  /** The eight bytes at an address as gdb's x/8xb shows them. */
  private String dumped(long gpa, int offset) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 8; i++) {
      byte value = guest.page(gpa)[offset + i];
      text.append("\t0x").append(HexFormat.of().toHexDigits(value));
    }
    return text.toString();
  }

  /** PT_LOAD as offset, virtual address, physical address, length and flags. */
  private static List<long[]> loads(Path core) throws IOException {
    List<long[]> loads = new ArrayList<>();
    try (RandomAccessFile file = new RandomAccessFile(core.toFile(), "r")) {
      file.seek(56);
      int count = Short.reverseBytes(file.readShort());
      for (int i = 0; i < count; i++) {
        file.seek(64 + 56L * i);
        int type = Integer.reverseBytes(file.readInt());
        int flags = Integer.reverseBytes(file.readInt());
        long[] load = new long[5];
        for (int field = 0; field < 4; field++) {
          load[field] = Long.reverseBytes(file.readLong());
        }
        load[4] = flags;
        if (type == LOAD) {
          loads.add(load);
        }
      }
    }
    return loads;
  }

  private String gdb(String... commands) throws Exception {
    List<String> command = new ArrayList<>(List.of("gdb", "-nx", "-batch"));
    for (String each : commands) {
      command.add("-ex");
      // gdb gives up a batch at its first error.
      command.add(
          each.startsWith("x/")
              ? "python\ntry: gdb.execute('" + each + "')\nexcept gdb.error as e: print(e)"
              : each);
    }
    command.add("-core");
    command.add(core.toString());
    return Commands.execute(command.toArray(new String[0]));
  }
}
