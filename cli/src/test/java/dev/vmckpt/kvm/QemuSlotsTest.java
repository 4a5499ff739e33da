// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.Checkpointer;
import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Images;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.kvm.events.IoEventFds;
import dev.vmckpt.kvm.events.IrqFds;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.Area;
import dev.vmckpt.kvm.slots.FoundSlots;
import dev.vmckpt.kvm.slots.SlotSearch;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** The slots of a QEMU with KVM, compared with what it says of them itself. */
@Isolated
class QemuSlotsTest {
  private static final Pattern SECTION =
      Pattern.compile("  ([0-9a-f]{16})-([0-9a-f]{16}) \\(prio .*KVM");

  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeAll
  static void hasQemu() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/qemu-system-x86_64")), "no QEMU");
  }

  @Test
  void sixGibibytes() throws Exception {
    Path monitor = folder.resolve("monitor");
    int pid =
        Detached.start(
            folder.resolve("words"),
            List.of(
                "qemu-system-x86_64",
                "-accel",
                "kvm",
                "-cpu",
                "host,-arch-capabilities",
                "-m",
                "6144",
                "-nodefaults",
                "-display",
                "none",
                "-vga",
                "std",
                "-serial",
                "file:" + folder.resolve("serial"),
                "-qmp",
                "unix:" + monitor + ",server=on,wait=off",
                "-drive",
                "file=" + Images.selfcheck() + ",format=raw,if=virtio,readonly=on"));
    try {
      Searching searching = new Searching();
      try (Checkpointer checkpointer = new Checkpointer(List.of(searching))) {
        // While firmware changes slots: found or refused, but never harmed.
        for (int i = 0; i < 5; i++) {
          checkpointer.inspect(pid, Set.of());
        }
        awaitSerial(pid);
        checkpointer.inspect(pid, Set.of());
        Detached.signal(pid, "STOP");
        searching.frozen = true;
        checkpointer.inspect(pid, Set.of());
        Detached.signal(pid, "CONT");
      }
      long beats = Files.size(folder.resolve("serial"));
      FoundSlots confirmed = searching.confirmed;
      assertThat(confirmed).isNotNull();
      if (confirmed != null) {
        assertThat(sections(confirmed.slots())).isEqualTo(told(monitor));
        assertThat(confirmed.own().get(0)).isEmpty();
        assertThat(searching.byTrial).isEqualTo(confirmed);
      }
      long deadline = System.nanoTime() + 20_000_000_000L;
      while (Files.size(folder.resolve("serial")) == beats && System.nanoTime() < deadline) {
        Thread.sleep(50);
      }
      assertThat(Files.size(folder.resolve("serial"))).isGreaterThan(beats);
      assertThat(Files.readString(folder.resolve("words"))).isEmpty();
    } finally {
      Detached.kill(pid);
    }
  }

  private void awaitSerial(int pid) throws Exception {
    long deadline = System.nanoTime() + 60_000_000_000L;
    Path serial = folder.resolve("serial");
    // A QEMU that has only just been started has not made the file yet.
    while (Detached.alive(pid)
        && System.nanoTime() < deadline
        && (!Files.exists(serial) || Files.size(serial) < 100)) {
      Thread.sleep(50);
    }
    assertThat(Files.size(serial)).isGreaterThanOrEqualTo(100);
  }

  private static Set<String> sections(List<SlotImage> slots) {
    Set<String> sections = new TreeSet<>();
    for (SlotImage slot : slots) {
      sections.add("%016x-%016x".formatted(slot.gpa(), slot.gpa() + slot.bytes() - 1));
    }
    return sections;
  }

  /** What {@code info mtree -f} says of the first address space. */
  private static Set<String> told(Path socket) {
    String text;
    try (Qmp monitor = Qmp.connect(socket, Duration.ofSeconds(20))) {
      text =
          monitor
              .execute("human-monitor-command", args -> args.put("command-line", "info mtree -f"))
              .asText();
    }
    int start = text.indexOf("AS \"memory\"");
    int end = text.indexOf("FlatView", start);
    Matcher matcher = SECTION.matcher(text.substring(start, end < 0 ? text.length() : end));
    Set<String> sections = new TreeSet<>();
    while (matcher.find()) {
      sections.add(matcher.group(1) + "-" + matcher.group(2));
    }
    return sections;
  }

  /** Searches whenever a vm is looked at, and says how long it took. */
  private static final class Searching implements Adapter {
    private boolean frozen;
    private @Nullable FoundSlots confirmed;
    private @Nullable FoundSlots byTrial;

    @Override
    public List<Finding> examine(List<DescriptorResource> claimed, ExamineContext context) {
      RemoteTask lodger = context.lodger();
      RemoteFd vm = claimed.get(0).fd();
      try {
        List<Area> areas =
            Area.parse(Files.readString(Path.of("/proc/" + context.pid() + "/maps")));
        long start = System.nanoTime();
        FoundSlots found = SlotSearch.search(lodger, vm, areas, List.of(), true, Runnable::run);
        say("%d slots found in %d us", found.slots().size(), start);
        if (frozen) {
          start = System.nanoTime();
          confirmed = SlotSearch.confirm(lodger, vm, found, true).orElse(null);
          say("%d slots confirmed in %d us", found.slots().size(), start);
          start = System.nanoTime();
          FoundSlots tried = SlotSearch.search(lodger, vm, areas, List.of(), false, Runnable::run);
          say("%d slots found without guest_memfd in %d us", tried.slots().size(), start);
          start = System.nanoTime();
          byTrial = SlotSearch.confirm(lodger, vm, tried, false).orElse(null);
          say("%d slots confirmed so in %d us", tried.slots().size(), start);
          System.out.println("the guess was right: " + found.equals(confirmed));
          List<RemoteFd> eventFds = EventFds.of(context.pid());
          start = System.nanoTime();
          int irqs = IrqFds.find(lodger, vm, eventFds, List.of()).size();
          say("%d irqfds among " + eventFds.size() + " eventfds in %d us", irqs, start);
          start = System.nanoTime();
          int places = IoEventFds.find(lodger, vm, eventFds, IoEventFds.virtioMmio()).size();
          say("%d ioeventfds of virtio-mmio in %d us", places, start);
          start = System.nanoTime();
          places = IoEventFds.find(lodger, vm, eventFds, IoEventFds.virtioPorts()).size();
          say("%d ioeventfds at ports in %d us", places, start);
        }
      } catch (RefusedException e) {
        System.out.println(e.getMessage());
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
      return List.of();
    }

    private static void say(String what, int number, long start) {
      System.out.printf(what + "%n", number, (System.nanoTime() - start) / 1000);
    }

    @Override
    public String name() {
      return "searching";
    }

    @Override
    public List<Carries> carries() {
      return List.of();
    }

    @Override
    public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
      return resource.link().equals("anon_inode:kvm-vm")
          ? Optional.of(Claim.carried("virtual machine"))
          : Optional.empty();
    }

    @Override
    public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
      throw new AssertionError("it is only looked at");
    }

    @Override
    public void rehearse(ExamineContext understudy) {
      throw new AssertionError("it is only looked at");
    }

    @Override
    public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
      return new ArrayList<>();
    }

    @Override
    public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
      throw new AssertionError("nothing was recorded");
    }
  }
}
