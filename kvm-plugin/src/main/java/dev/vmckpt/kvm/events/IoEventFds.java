// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.events;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds eventfds that a guest's access signals (struct kvm_ioeventfd), at places where they usually
 * are.
 *
 * <pre>
 * kvm_ioeventfd   0 data to match   8 address   16 width   20 fd   24 flags   28 … 64 zero
 * </pre>
 *
 * <p>The only question without side effects is whether anything is at a place, and only if there
 * is: attaching there is EEXIST then, but else it succeeds. So each eventfd is taken off each
 * place: ENOENT at 0.3 microseconds where it is not; where it is, it is put back at once. Taking
 * one off waits for all readers of KVM's list, 8 to 20 milliseconds on Linux 6.18, for each that is
 * found.
 *
 * <p>Hence the choice. All ports and all pages of the PCI holes take about a second for each
 * eventfd, all of it with the guest standing still, as an access in between would be missed; that
 * is too much for a pause. By default only the places of virtio-mmio devices are asked about, 0.05
 * milliseconds for each eventfd: their monitors often cannot do without. A monitor with PCI devices
 * mostly can: without its ioeventfds accesses reach it by an exit, which it serves itself, if more
 * slowly (QEMU does, whatever is not found is taken for not there). For a monitor that serves them
 * by eventfd alone the record of {@code vmckpt run} is needed.
 */
public final class IoEventFds {
  /** The notify register of virtio-mmio, which takes the number of a queue. */
  private static final int QUEUE_NOTIFY = 0x50;

  private static final int QUEUES = 16;

  private static final int PORT_QUEUES = 4;

  /** So many eventfds or places are asked about in one go: each by two calls. */
  private static final int AT_ONCE = CallBatch.CALLS / 2;

  static final int IOEVENTFD_BYTES = 64;

  private final RemoteTask task;
  private final RemoteFd vm;

  private IoEventFds(RemoteTask task, RemoteFd vm) {
    this.task = task;
    this.vm = vm;
  }

  /**
   * Places where the first queues of virtio-mmio devices are notified, of monitors that have
   * nothing else: pages from 3.25 GiB on, and QEMU's 512 bytes each below the I/O APIC. A device
   * that is found there is asked about its other queues.
   */
  public static List<Window> virtioMmio() {
    return List.of(
        new Window(false, 0xd0000000L + QUEUE_NOTIFY, 0x1000, 32, 4, 0),
        new Window(false, 0xc0001000L + QUEUE_NOTIFY, 0x1000, 32, 4, 0),
        new Window(false, 0xfeb00000L + QUEUE_NOTIFY, 0x200, 24, 4, 0));
  }

  /** Where the other queues of a device are notified whose first one is notified here. */
  private static List<Window> otherQueues(Window first) {
    List<Window> queues = new ArrayList<>();
    boolean mmio = !first.port() && first.bytes() == 4 && first.match() == 0;
    for (int queue = 1; mmio && queue < QUEUES; queue++) {
      queues.add(new Window(false, first.first(), 1, 1, 4, queue));
    }
    return queues;
  }

  /**
   * Places where virtio devices on a PCI bus are notified in ports: 16 bytes into their areas,
   * which begin at multiples of 32. Half a millisecond for each eventfd.
   */
  public static List<Window> virtioPorts() {
    List<Window> windows = new ArrayList<>();
    for (int queue = 0; queue < PORT_QUEUES; queue++) {
      windows.add(new Window(true, 0xc010, 0x20, 512, 2, queue));
    }
    return windows;
  }

  /**
   * Pages in a range of guest-physical addresses, for accesses of any width: where virtio devices
   * on a PCI bus are notified in memory. A quarter of a millisecond for each eventfd and 4 MiB.
   *
   * @param start the first address
   * @param end the address behind the last
   */
  public static List<Window> pages(long start, long end) {
    return List.of(new Window(false, start, 0x1000, (end - start) / 0x1000, 0, Window.ANY));
  }

  /**
   * Finds them. The target must be frozen.
   *
   * @param eventFds eventfds of the target
   * @param windows where to look
   */
  public static List<IoEventFdImage> find(
      RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<Window> windows) {
    IoEventFds search = new IoEventFds(task, vm);
    List<Window> places = windows.stream().flatMap(Window::places).toList();
    List<IoEventFdImage> found = new ArrayList<>();
    for (RemoteFd fd : eventFds) {
      for (List<Window> some : chunks(places, AT_ONCE)) {
        search.sweep(List.of(fd), some, found);
      }
    }
    search.lookAtOtherQueues(eventFds, found);
    return found;
  }

  /**
   * Prepares the search at {@link #virtioMmio}.
   *
   * @param eventFds eventfds of the target
   */
  public static IoEventFdSweep prepare(List<RemoteFd> eventFds) {
    return new IoEventFdSweep(eventFds, virtioMmio().stream().flatMap(Window::places).toList());
  }

  /**
   * Makes a prepared search. The target must be frozen.
   *
   * @param batch to which it was added
   */
  public static List<IoEventFdImage> find(
      RemoteTask task, RemoteFd vm, IoEventFdSweep prepared, CallBatch batch) {
    List<IoEventFdImage> found = new ArrayList<>();
    IoEventFds search = new IoEventFds(task, vm);
    search.run(prepared, batch, found);
    search.lookAtOtherQueues(prepared.eventFds(), found);
    return found;
  }

  /** Asks about the other queues of the devices whose first queue was found. */
  private void lookAtOtherQueues(List<RemoteFd> eventFds, List<IoEventFdImage> found) {
    for (IoEventFdImage first : List.copyOf(found)) {
      List<Window> queues = otherQueues(Window.of(first));
      for (List<RemoteFd> some : chunks(eventFds, AT_ONCE / QUEUES)) {
        sweep(some, queues, found);
      }
    }
  }

  private void sweep(List<RemoteFd> eventFds, List<Window> places, List<IoEventFdImage> found) {
    IoEventFdSweep sweep = new IoEventFdSweep(eventFds, places);
    CallBatch batch = task.batch();
    sweep.ask(batch, vm);
    run(sweep, batch, found);
  }

  private void run(IoEventFdSweep sweep, CallBatch batch, List<IoEventFdImage> found) {
    // What is taken off is put back even if we die.
    batch.runThrough();
    for (IoEventFdSweep.Hit hit : sweep.hits(batch)) {
      found.add(image(hit.fd(), hit.place()));
    }
  }

  /**
   * Which of those that were heard of are still there: attaching one where one is is EEXIST, half a
   * microsecond, and nothing is taken off. One that is not there is attached by that, and taken off
   * again, in some 10 milliseconds. The target must be frozen. That it still is the same eventfd is
   * taken for granted.
   *
   * @param heard of ioeventfds of this vm
   */
  public static List<IoEventFdImage> still(
      RemoteTask task, RemoteFd vm, List<IoEventFdImage> heard) {
    List<IoEventFdImage> there = new ArrayList<>();
    for (List<IoEventFdImage> some : chunks(heard, AT_ONCE)) {
      CallBatch batch = task.batch();
      int[] asked = new int[some.size()];
      for (int i = 0; i < asked.length; i++) {
        RemoteFd fd = new RemoteFd(some.get(i).fd());
        Window place = Window.of(some.get(i));
        asked[i] =
            batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.IOEVENTFD, at(batch, fd, place, 0));
        batch.tryCallIfZero(
            Nr.IOCTL, vm.number(), KvmIoctl.IOEVENTFD, at(batch, fd, place, Window.DEASSIGN));
      }
      // What was attached by asking is taken off even if we die.
      batch.runThrough();
      for (int i = 0; i < asked.length; i++) {
        if (batch.result(asked[i]) == -Errno.EEXIST) {
          there.add(some.get(i));
        }
      }
    }
    return there;
  }

  private static <T> List<List<T>> chunks(List<T> all, int most) {
    List<List<T>> chunks = new ArrayList<>();
    for (int from = 0; from < all.size(); from += most) {
      chunks.add(all.subList(from, Math.min(all.size(), from + most)));
    }
    return chunks;
  }

  private static long at(CallBatch batch, RemoteFd fd, Window place, int flags) {
    return batch.place(structure(fd, place, flags)).value();
  }

  private static IoEventFdImage image(RemoteFd fd, Window place) {
    return new IoEventFdImage(
        fd.number(),
        place.first(),
        place.bytes(),
        place.flags(),
        place.match() == Window.ANY ? 0 : place.match(),
        Finding.Source.FOUND);
  }

  static byte[] structure(RemoteFd fd, Window place, int flags) {
    byte[] structure = new byte[IOEVENTFD_BYTES];
    ByteBuffer.wrap(structure)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(place.match() == Window.ANY ? 0 : place.match())
        .putLong(place.first())
        .putInt(place.bytes())
        .putInt(fd.number())
        .putInt(place.flags() | flags);
    return structure;
  }
}
