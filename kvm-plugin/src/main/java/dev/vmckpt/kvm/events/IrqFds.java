// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.events;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds eventfds that raise an interrupt in a guest (struct kvm_irqfd).
 *
 * <pre>
 * kvm_irqfd   0 fd   4 gsi   8 flags (DEASSIGN 1, RESAMPLE 2)   12 resample fd   16 … 32 zero
 * </pre>
 *
 * <p><em>Which.</em> An eventfd can be attached once: attaching it again is EBUSY, and changes
 * nothing. One that is not attached becomes so, with an interrupt that leads nowhere, and is taken
 * off at once; that empties its count, which is written back. A process outside the frozen target
 * that signals it in these microseconds is not heard.
 *
 * <p><em>Which interrupt.</em> An attached eventfd is taken off an interrupt and attached to it
 * again: if it was attached to another, the first does nothing and the second is EBUSY; else it is
 * as before. What is signalled in between is counted, and heard when it is attached again.
 *
 * <p><em>Level-triggered interrupts</em> may have a second eventfd that tells their end
 * (KVM_IRQFD_FLAG_RESAMPLE), which KVM does not tell and would lose here. So pins of the I/O APIC
 * that the guest has made level-triggered are not touched, and an eventfd that may be one of theirs
 * is refused by name.
 */
public final class IrqFds {
  private static final int IRQFD_BYTES = 32;
  private static final int DEASSIGN = 1;

  /** Beyond all routes there can be (KVM_MAX_IRQ_ROUTES is 4096). */
  private static final int NOWHERE = -1;

  /** The pins of the I/O APIC; message-signalled interrupts come behind them. */
  private static final int PINS = 24;

  private static final int GSIS = 4096;

  /** So many message-signalled interrupts are tried before the pins. */
  private static final int USUAL = 128;

  /** struct kvm_irqchip: 0 which, 8 the chip; of an I/O APIC its pins from 24 on, 8 bytes each. */
  private static final int IOAPIC = 2;

  private static final int IOAPIC_PINS = 8 + 24;
  private static final int LEVEL = 1 << 15;
  private static final short POLLIN = 1;

  private final RemoteTask task;
  private final RemoteFd vm;

  private IrqFds(RemoteTask task, RemoteFd vm) {
    this.task = task;
    this.vm = vm;
  }

  /**
   * Finds them. The target must be frozen. Takes about 50 microseconds for each eventfd, attached
   * or not, and a microsecond for each interrupt that is tried.
   *
   * @param eventFds the eventfds of the target
   * @param heard of irqfds of this vm: those that still are attached are taken for what they were,
   *     and not taken off
   * @throws RefusedException if the interrupt of an attached eventfd is not found
   */
  public static List<IrqFdImage> find(
      RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IrqFdImage> heard) {
    return eventFds.isEmpty() ? List.of() : new IrqFds(task, vm).find(eventFds, heard);
  }

  private List<IrqFdImage> find(List<RemoteFd> eventFds, List<IrqFdImage> heard) {
    List<RemoteFd> attached = attached(eventFds);
    List<IrqFdImage> found = new ArrayList<>();
    for (IrqFdImage each : heard) {
      // An eventfd is attached once, so there is nothing else that it could be.
      if (attached.remove(new RemoteFd(each.fd()))) {
        found.add(each);
      }
    }
    if (attached.isEmpty()) {
      return found;
    }
    List<Integer> gsis = candidates();
    List<Refusal> refusals = new ArrayList<>();
    int last = PINS - 1;
    for (RemoteFd fd : attached) {
      // They are mostly given out in a row.
      int gsi = gsi(fd, List.of(last + 1));
      if (gsi < 0) {
        gsi = gsi(fd, gsis);
      }
      if (gsi < 0) {
        refusals.add(
            new Refusal(
                fd.toString(),
                "it raises an interrupt of "
                    + vm
                    + " that could not be found, perhaps a"
                    + " level-triggered one",
                "start the machine by `vmckpt run`, which notes how it is wired"));
      } else {
        found.add(new IrqFdImage(fd.number(), gsi, -1, Finding.Source.FOUND));
        last = Math.min(GSIS - 2, Math.max(last, gsi));
      }
    }
    RefusedException.throwIfAny("the search for interrupts of " + task.pid(), refusals);
    return found;
  }

  /** Those that are attached to a vm, this or another. */
  private List<RemoteFd> attached(List<RemoteFd> eventFds) {
    List<RemoteFd> attached = new ArrayList<>();
    // Without an interrupt controller in the kernel no eventfd can be attached: EINVAL, EAGAIN.
    for (int from = 0; from < eventFds.size(); from += CallBatch.CALLS / 4) {
      List<RemoteFd> some =
          eventFds.subList(from, Math.min(eventFds.size(), from + CallBatch.CALLS / 4));
      long[] counts = counts(some);
      CallBatch batch = task.batch();
      int[] asked = new int[some.size()];
      for (int i = 0; i < asked.length; i++) {
        int fd = some.get(i).number();
        asked[i] = batch.tryCall(Nr.IOCTL, irqFd(batch, fd, NOWHERE, 0));
        batch.tryCallIfZero(Nr.IOCTL, irqFd(batch, fd, NOWHERE, DEASSIGN));
        if (counts[i] != 0) {
          byte[] count = new byte[Long.BYTES];
          ByteBuffer.wrap(count).order(ByteOrder.LITTLE_ENDIAN).putLong(counts[i]);
          batch.tryCallIfZero(Nr.WRITE, fd, batch.place(count).value(), count.length);
        }
      }
      // What was attached to nowhere is taken off even if we die.
      batch.runThrough();
      for (int i = 0; i < asked.length; i++) {
        long answer = batch.result(asked[i]);
        if (answer == -Errno.EBUSY) {
          attached.add(some.get(i));
        } else if (answer != 0 && answer != -Errno.EINVAL && answer != -Errno.EAGAIN) {
          throw new SyscallException("ioctl(KVM_IRQFD)", (int) -answer, some.get(i).toString());
        }
      }
    }
    return attached;
  }

  /** The interrupt it is attached to, -1 if it is none of these. */
  private int gsi(RemoteFd fd, List<Integer> gsis) {
    int most = CallBatch.CALLS / 4;
    for (int from = 0; from < gsis.size(); from += most) {
      List<Integer> some = gsis.subList(from, Math.min(gsis.size(), from + most));
      CallBatch batch = task.batch();
      int[] again = new int[some.size()];
      for (int i = 0; i < again.length; i++) {
        int gsi = some.get(i);
        batch.tryCall(Nr.IOCTL, irqFd(batch, fd.number(), gsi, DEASSIGN));
        again[i] = batch.tryCall(Nr.IOCTL, irqFd(batch, fd.number(), gsi, 0));
      }
      // What was taken off is attached again even if we die.
      batch.runThrough();
      for (int i = 0; i < again.length; i++) {
        if (batch.result(again[i]) == 0) {
          return some.get(i);
        }
      }
    }
    return -1;
  }

  /** Interrupts in the order they are likely; without pins that may be level-triggered. */
  private List<Integer> candidates() {
    List<Integer> gsis = new ArrayList<>();
    for (int gsi = PINS; gsi < PINS + USUAL; gsi++) {
      gsis.add(gsi);
    }
    CallBatch batch = task.batch();
    byte[] which = new byte[KvmLayout.IRQCHIP];
    which[0] = IOAPIC;
    RemoteAddress at = batch.place(which);
    int got = batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.GET_IRQCHIP, at.value());
    batch.run();
    if (batch.result(got) == 0) {
      ByteBuffer chip =
          ByteBuffer.wrap(batch.read(at, which.length)).order(ByteOrder.LITTLE_ENDIAN);
      for (int pin = 0; pin < PINS; pin++) {
        if ((chip.getLong(IOAPIC_PINS + pin * Long.BYTES) & LEVEL) == 0) {
          gsis.add(pin);
        }
      }
    }
    for (int gsi = PINS + USUAL; gsi < GSIS; gsi++) {
      gsis.add(gsi);
    }
    return gsis;
  }

  /** The arguments of ioctl(KVM_IRQFD). */
  private long[] irqFd(CallBatch batch, int fd, int gsi, int flags) {
    byte[] irqFd = new byte[IRQFD_BYTES];
    ByteBuffer.wrap(irqFd).order(ByteOrder.LITTLE_ENDIAN).putInt(fd).putInt(gsi).putInt(flags);
    return new long[] {vm.number(), KvmIoctl.IRQFD, batch.place(irqFd).value()};
  }

  /** The counts of eventfds; only of those that poll(2) says have one, {@code fdinfo} is read. */
  private long[] counts(List<RemoteFd> eventFds) {
    long[] counts = new long[eventFds.size()];
    ByteBuffer polls = ByteBuffer.allocate(8 * counts.length).order(ByteOrder.LITTLE_ENDIAN);
    eventFds.forEach(each -> polls.putInt(each.number()).putShort(POLLIN).putShort((short) 0));
    CallBatch batch = task.batch();
    RemoteAddress at = batch.place(polls.array());
    batch.call("poll", "eventfds", Nr.POLL, at.value(), counts.length, 0);
    batch.run();
    ByteBuffer polled = ByteBuffer.wrap(batch.read(at, 8 * counts.length)).order(polls.order());
    for (int i = 0; i < counts.length; i++) {
      if (polled.getShort(i * 8 + 6) != 0) {
        counts[i] = count(eventFds.get(i));
      }
    }
    return counts;
  }

  private long count(RemoteFd fd) {
    Path info = Path.of("/proc/" + task.pid() + "/fdinfo/" + fd.number());
    try {
      for (String line : Files.readAllLines(info)) {
        if (line.startsWith("eventfd-count:")) {
          return Long.parseUnsignedLong(line.substring(line.indexOf(':') + 1).strip(), 16);
        }
      }
    } catch (IOException e) {
      throw new TargetGoneException("process " + task.pid() + " is gone", e);
    }
    return 0;
  }
}
