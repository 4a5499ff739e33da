// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Kvm;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.events.IoEventFds;
import dev.vmckpt.kvm.events.IrqFds;
import dev.vmckpt.kvm.events.Window;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.spi.Finding.Source;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** Eventfds of a machine in this very process. */
@Isolated
class EventsTest {
  private static final int DATAMATCH = 1;
  private static final int PIO = 2;
  private static final int LEVEL = 1 << 15;

  private final QuickTask task = new QuickTask();
  private final List<RemoteFd> eventFds = new ArrayList<>();
  private OwnMachine machine = new OwnMachine(task);

  @BeforeAll
  static void hasKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @BeforeEach
  void makeIrqchip() {
    machine.createIrqchip();
  }

  @AfterEach
  void close() {
    eventFds.forEach(each -> task.call("close", each + "", Nr.CLOSE, each.number()));
    machine.close();
  }

  @Test
  void interruptsAreFoundAndNothingIsChanged() throws IOException {
    List<IrqFdImage> wired = new ArrayList<>();
    for (int gsi : List.of(24, 25, 40, 5, 4000, 26)) {
      RemoteFd fd = eventFd(0);
      eventFd(gsi);
      assertThat(irqFd(fd, gsi, 0)).isZero();
      wired.add(new IrqFdImage(fd.number(), gsi, -1, Source.FOUND));
    }
    List<Long> before = counts();
    for (int i = 0; i < 3; i++) {
      long start = System.nanoTime();
      assertThat(IrqFds.find(task, machine.fd(), eventFds, List.of())).isEqualTo(wired);
      System.out.printf("irqfds: %d us%n", (System.nanoTime() - start) / 1000);
    }
    // What a recorder heard of is what it was; what was taken off since is not.
    List<IrqFdImage> heard = new ArrayList<>();
    heard.add(new IrqFdImage(wired.get(0).fd(), 77, eventFds.get(1).number(), Source.RECORDED));
    heard.add(new IrqFdImage(eventFds.get(1).number(), 78, -1, Source.RECORDED));
    List<IrqFdImage> expected = new ArrayList<>(wired);
    expected.set(0, heard.get(0));
    assertThat(IrqFds.find(task, machine.fd(), eventFds, heard)).isEqualTo(expected);
    assertThat(counts()).isEqualTo(before);
    for (IrqFdImage each : wired) {
      RemoteFd fd = new RemoteFd(each.fd());
      assertThat(irqFd(fd, 9999, 0)).isEqualTo(-Errno.EBUSY);
      assertThat(irqFd(fd, each.gsi(), 1)).isZero();
      assertThat(irqFd(fd, 9999, 0)).isZero();
    }
  }

  @Test
  void anInterruptStillReachesTheGuest() throws IOException {
    RemoteFd fd = eventFd(0);
    assertThat(irqFd(fd, 5, 0)).isZero();
    assertThat(IrqFds.find(task, machine.fd(), eventFds, List.of())).hasSize(1);
    assertThat(requested() & 1 << 5).isZero();
    task.write(task.scratch(), new byte[] {1, 0, 0, 0, 0, 0, 0, 0});
    task.call("write", "eventfd", Nr.WRITE, fd.number(), task.scratch().value(), 8);
    // KVM raises it in a kernel thread of its own if it cannot at once.
    for (int i = 0; i < 1000 && (requested() & 1 << 5) == 0; i++) {
      java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
    }
    assertThat(requested() & 1 << 5).isNotZero();
    assertThat(counts()).containsExactly(0L);
  }

  @Test
  void whatMayBeLevelTriggeredIsNotTouched() {
    byte[] chip = irqchip(2);
    ByteBuffer view = ByteBuffer.wrap(chip).order(ByteOrder.LITTLE_ENDIAN);
    view.putLong(8 + 24 + 8 * 10, view.getLong(8 + 24 + 8 * 10) | LEVEL);
    machine.ioctl(KvmIoctl.SET_IRQCHIP, chip);
    RemoteFd fd = eventFd(0);
    assertThat(irqFd(fd, 10, 0)).isZero();
    assertThatThrownBy(() -> IrqFds.find(task, machine.fd(), eventFds, List.of()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(fd.toString());
    assertThat(irqFd(fd, 10, 0)).isEqualTo(-Errno.EBUSY);
  }

  @Test
  void placesAreFoundAndNothingIsChanged() throws IOException {
    List<RemoteFd> fds = List.of(eventFd(0), eventFd(3), eventFd(0));
    List<IoEventFdImage> wired =
        List.of(
            image(fds.get(0), 0xd0003050L, 4, DATAMATCH, 0),
            image(fds.get(0), 0xc030, 2, PIO | DATAMATCH, 0),
            image(fds.get(0), 0xfe003000L, 0, 0, 0),
            // A second queue with an eventfd of its own, and the ninth of the next device.
            image(fds.get(1), 0xd0003050L, 4, DATAMATCH, 1),
            image(fds.get(1), 0xd0004050L, 4, DATAMATCH, 0),
            image(fds.get(0), 0xd0004050L, 4, DATAMATCH, 8));
    for (IoEventFdImage each : wired) {
      assertThat(ioEventFd(each)).isZero();
    }
    List<Window> windows = new ArrayList<>(IoEventFds.virtioMmio());
    windows.addAll(IoEventFds.virtioPorts());
    windows.addAll(IoEventFds.pages(0xfe000000L, 0xfec00000L));
    long start = System.nanoTime();
    assertThat(IoEventFds.find(task, machine.fd(), eventFds, windows))
        .containsExactlyInAnyOrderElementsOf(wired);
    System.out.printf("ioeventfds: %d us%n", (System.nanoTime() - start) / 1000);
    start = System.nanoTime();
    assertThat(IoEventFds.still(task, machine.fd(), wired)).isEqualTo(wired);
    System.out.printf("those heard of: %d us%n", (System.nanoTime() - start) / 1000);
    IoEventFdImage gone = image(fds.get(2), 0xc050, 2, PIO | DATAMATCH, 0);
    for (int i = 0; i < 2; i++) {
      assertThat(IoEventFds.still(task, machine.fd(), List.of(gone))).isEmpty();
    }
    start = System.nanoTime();
    assertThat(IoEventFds.find(task, machine.fd(), fds.subList(2, 3), IoEventFds.virtioMmio()))
        .isEmpty();
    System.out.printf("a miss: %d us%n", (System.nanoTime() - start) / 1000);
    assertThat(counts()).containsExactly(0L, 3L, 0L);
    for (IoEventFdImage each : wired) {
      assertThat(ioEventFd(each)).isEqualTo(-Errno.EEXIST);
    }
  }

  private static IoEventFdImage image(RemoteFd fd, long at, int bytes, int flags, long match) {
    return new IoEventFdImage(fd.number(), at, bytes, flags, match, Source.FOUND);
  }

  private RemoteFd eventFd(int count) {
    RemoteFd fd = new RemoteFd((int) task.call("eventfd2", "", Nr.EVENTFD2, count, 0));
    eventFds.add(fd);
    return fd;
  }

  private long irqFd(RemoteFd fd, int gsi, int flags) {
    return machine.tryIoctl(
        KvmIoctl.IRQFD,
        ByteBuffer.allocate(32)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(fd.number())
            .putInt(gsi)
            .putInt(flags)
            .array());
  }

  private long ioEventFd(IoEventFdImage image) {
    return machine.tryIoctl(
        KvmIoctl.IOEVENTFD,
        ByteBuffer.allocate(64)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(image.dataMatch())
            .putLong(image.address())
            .putInt(image.bytes())
            .putInt(image.fd())
            .putInt(image.flags())
            .array());
  }

  private byte[] irqchip(int which) {
    byte[] chip = new byte[KvmLayout.IRQCHIP];
    chip[0] = (byte) which;
    return machine.ioctl(KvmIoctl.GET_IRQCHIP, chip);
  }

  /** The interrupts that the first PIC saw coming: lines that were up, or are waiting. */
  private int requested() {
    byte[] chip = irqchip(0);
    // struct kvm_pic_state: last_irr, irr
    return chip[8] | chip[9];
  }

  private List<Long> counts() throws IOException {
    List<Long> counts = new ArrayList<>();
    for (RemoteFd each : eventFds) {
      for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + each.number()))) {
        if (line.startsWith("eventfd-count:")) {
          counts.add(Long.parseUnsignedLong(line.substring(14).strip(), 16));
        }
      }
    }
    return counts;
  }
}
