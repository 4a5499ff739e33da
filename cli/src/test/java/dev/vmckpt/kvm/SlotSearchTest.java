// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Kvm;
import dev.vmckpt.kvm.OwnMachine.Slot;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.Area;
import dev.vmckpt.kvm.slots.FoundSlots;
import dev.vmckpt.kvm.slots.SlotSearch;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** Slots of machines in this very process, whose layouts are drawn by lot. */
@Isolated
class SlotSearchTest {
  private static final int LAYOUTS = 200;

  /** Half a second and more each. */
  private static final int LAYOUTS_BY_TRIAL = 15;

  private static final int MANY_LAYOUTS_BY_TRIAL = 60;

  /** Half of a block of 3 GiB beside a small block cut in two: a long way and a short one. */
  private static final long SEED_OF_A_LONG_WAY = 44928676480247L;

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void whatWasSetIsFoundAndNothingIsChanged() throws IOException {
    find(LAYOUTS, true);
  }

  /** As on kernels before Linux 6.18. */
  @Test
  void withoutGuestMemFdToo() throws IOException {
    find(LAYOUTS_BY_TRIAL, false);
  }

  @Test
  @Tag("long")
  void withoutGuestMemFdInManyLayouts() throws IOException {
    find(MANY_LAYOUTS_BY_TRIAL, false);
  }

  @Test
  void noLongWayIsGoneWhereAShortOneLeadsThere() throws IOException {
    find(1, true, SEED_OF_A_LONG_WAY);
  }

  private static void find(int layouts, boolean memFd) throws IOException {
    find(layouts, memFd, Long.getLong("vmckpt.seed", System.nanoTime()));
  }

  private static void find(int layouts, boolean memFd, long seed) throws IOException {
    System.out.println("SlotSearchTest -Dvmckpt.seed=" + seed);
    QuickTask task = new QuickTask();
    long[] micros = new long[layouts];
    for (int i = 0; i < layouts; i++) {
      Random random = new Random(seed + i);
      try (OwnMachine machine = new OwnMachine(task)) {
        RandomLayout.set(machine, random);
        String which = "seed " + seed + " layout " + i + " " + machine.slots();
        long start = System.nanoTime();
        FoundSlots found;
        try {
          found = search(task, machine, memFd);
        } catch (RefusedException e) {
          throw new AssertionError(which, e);
        }
        micros[i] = (System.nanoTime() - start) / 1000;
        FoundSlots confirmed =
            SlotSearch.confirm(task, machine.fd(), found, memFd)
                .orElseThrow(() -> new AssertionError("not confirmed: " + which));
        assertThat(confirmed.slots().stream().map(SlotSearchTest::slot))
            .as(which)
            .containsExactlyInAnyOrderElementsOf(machine.slots());
        assertThat(machine.differences()).as(which).isEmpty();
        if (!memFd) {
          hintsSpareTheStop(task, machine, confirmed, random);
          assertThat(machine.differences()).as(which).isEmpty();
        }
      }
    }
    Arrays.sort(micros);
    System.out.printf(
        "search: median %.1f ms, 90%% %.1f ms, most %.1f ms%n",
        micros[layouts / 2] / 1e3, micros[layouts * 9 / 10] / 1e3, micros[layouts - 1] / 1e3);
  }

  /** Who knows all slots need not stop the target; where one lies elsewhere it is noticed. */
  private static void hintsSpareTheStop(
      QuickTask task, OwnMachine machine, FoundSlots all, Random random) throws IOException {
    List<SlotImage> hints = all.slots();
    FoundSlots told =
        SlotSearch.search(
            task,
            machine.fd(),
            areas(machine),
            hints,
            false,
            work -> {
              throw new AssertionError("it was to be stopped");
            });
    assertThat(told.slots()).isEqualTo(hints);
    assertThat(SlotSearch.confirm(task, machine.fd(), told, false)).contains(told);
    List<SlotImage> wrong = new java.util.ArrayList<>(hints);
    int which = random.nextInt(wrong.size());
    SlotImage one = wrong.get(which);
    long gpa = one.gpa() + (random.nextBoolean() || one.gpa() == 0 ? 4096 : -4096);
    wrong.set(
        which, new SlotImage(one.id(), 0, one.flags(), gpa, one.bytes(), one.hva(), one.source()));
    assertThat(SlotSearch.confirm(task, machine.fd(), new FoundSlots(wrong, all.own()), false))
        .isEmpty();
  }

  @Test
  void aPegThatWasLeftBehindIsTakenOver() throws IOException {
    QuickTask task = new QuickTask();
    for (boolean memFd : new boolean[] {true, false}) {
      try (OwnMachine machine = new OwnMachine(task)) {
        long memory = machine.map(8 << 20, false);
        machine.set(new Slot(0, 0, 0, 4 << 20, memory));
        int numbers = (int) task.call("check", "vm", Nr.IOCTL, machine.fd().number(), 0xAE03, 10);
        assertThat(machine.leavePeg(numbers - 1)).as("the peg of a search that died").isTrue();
        assertThat(machine.differences()).isNotEmpty();
        FoundSlots found = search(task, machine, memFd);
        assertThat(found.slots().stream().map(SlotSearchTest::slot))
            .containsExactlyElementsOf(machine.slots());
        assertThat(machine.differences()).isEmpty();
      }
    }
  }

  @Test
  void whatCannotBeFoundIsNamed() throws IOException {
    QuickTask task = new QuickTask();
    try (OwnMachine machine = new OwnMachine(task)) {
      long one = machine.map(512L << 20, true);
      long other = machine.map(512L << 20, true);
      machine.set(new Slot(4, 0, 1 << 20, 77 << 12, one + (12345L << 12)));
      machine.set(new Slot(9, 0, (1 << 20) + (77 << 12), 501 << 12, other + (54321L << 12)));
      assertThatThrownBy(() -> search(task, machine, true))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("memslot:4")
          .hasMessageContaining("memslot:9")
          .hasMessageContaining("vmckpt run");
      assertThat(machine.differences()).isEmpty();
    }
  }

  /** As QEMU lays out a PC of 6 GiB: both halves of its memory have the same size. */
  @Test
  void halvesOfOneSizeAreToldApart() throws IOException {
    QuickTask task = new QuickTask();
    try (OwnMachine machine = new OwnMachine(task)) {
      long half = 96L << 20;
      long memory = machine.map(2 * half, true);
      long firmware = machine.map(256 << 10, true);
      long above = 128L << 20;
      int[] cuts = {0, 0xc3000, 0xe8000, 0xf0000, 0x100000, (int) half};
      for (int i = 0; i + 1 < cuts.length; i++) {
        machine.set(
            new Slot(i == 0 ? 0 : i + 2, 0, cuts[i], cuts[i + 1] - cuts[i], memory + cuts[i]));
      }
      machine.set(new Slot(1, 0, above, half, memory + half));
      machine.set(new Slot(2, 2, above - (256 << 10), 256 << 10, firmware));
      FoundSlots found = search(task, machine, true);
      assertThat(
              SlotSearch.confirm(task, machine.fd(), found, true).orElseThrow().slots().stream()
                  .map(SlotSearchTest::slot))
          .containsExactlyInAnyOrderElementsOf(machine.slots());
      assertThat(machine.differences()).isEmpty();
    }
  }

  @Test
  void aChangeIsSeen() throws IOException {
    QuickTask task = new QuickTask();
    try (OwnMachine machine = new OwnMachine(task)) {
      long memory = machine.map(8 << 20, false);
      machine.set(new Slot(0, 0, 0, 4 << 20, memory));
      FoundSlots found = search(task, machine, true);
      assertThat(SlotSearch.confirm(task, machine.fd(), found, true)).contains(found);
      machine.set(new Slot(1, 0, 1L << 32, 4096, memory));
      assertThat(SlotSearch.confirm(task, machine.fd(), found, true)).isEmpty();
      assertThat(machine.differences()).isEmpty();
    }
  }

  private static FoundSlots search(QuickTask task, OwnMachine machine, boolean memFd)
      throws IOException {
    return SlotSearch.search(task, machine.fd(), areas(machine), List.of(), memFd, Runnable::run);
  }

  static Slot slot(SlotImage image) {
    return new Slot(image.id(), image.flags(), image.gpa(), image.bytes(), image.hva().value());
  }

  /** The areas of this process, without the large ones of Java's own, which no monitor has. */
  static List<Area> areas(OwnMachine machine) throws IOException {
    return Area.parse(Files.readString(Path.of("/proc/self/maps"))).stream()
        .filter(each -> each.bytes() <= 1 << 20 || machine.mapped(each.start()))
        .toList();
  }
}
