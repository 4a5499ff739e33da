// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.events;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes each of some eventfds off each of some places, and where it was, puts it back at once; by
 * one batch that can be prepared while the target runs.
 */
public final class IoEventFdSweep {
  /** An eventfd and a place where it was. */
  record Hit(RemoteFd fd, Window place) {}

  private static final int PAIR_BYTES = 2 * IoEventFds.IOEVENTFD_BYTES;

  private final List<RemoteFd> eventFds;
  private final List<Window> places;
  private final byte[] structures;
  private int first;

  /**
   * @param places where to look, a place each
   */
  IoEventFdSweep(List<RemoteFd> eventFds, List<Window> places) {
    this.eventFds = List.copyOf(eventFds);
    this.places = List.copyOf(places);
    int bytes = IoEventFds.IOEVENTFD_BYTES;
    structures = new byte[pairs() * PAIR_BYTES];
    for (int i = 0; i < pairs(); i++) {
      byte[] off = IoEventFds.structure(fd(i), place(i), Window.DEASSIGN);
      byte[] on = IoEventFds.structure(fd(i), place(i), 0);
      System.arraycopy(off, 0, structures, i * PAIR_BYTES, bytes);
      System.arraycopy(on, 0, structures, i * PAIR_BYTES + bytes, bytes);
    }
  }

  private RemoteFd fd(int call) {
    return eventFds.get(call / places.size());
  }

  private Window place(int call) {
    return places.get(call % places.size());
  }

  /** The eventfds it is about. */
  public List<RemoteFd> eventFds() {
    return eventFds;
  }

  /** How many calls it adds. */
  public int calls() {
    return 2 * pairs();
  }

  private int pairs() {
    return eventFds.size() * places.size();
  }

  /** How many bytes their arguments take. */
  public int bytes() {
    return structures.length;
  }

  /** Adds the calls to a batch. */
  public void ask(CallBatch batch, RemoteFd vm) {
    RemoteAddress at = batch.place(structures);
    for (int i = 0; i < pairs(); i++) {
      RemoteAddress pair = at.plus((long) i * PAIR_BYTES);
      long off = pair.value();
      long on = pair.plus(IoEventFds.IOEVENTFD_BYTES).value();
      int call = batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.IOEVENTFD, off);
      batch.tryCallIfZero(Nr.IOCTL, vm.number(), KvmIoctl.IOEVENTFD, on);
      first = i == 0 ? call : first;
    }
  }

  /**
   * What was there, when the batch has run.
   *
   * @throws SyscallException if a question was not answered, or something was taken off and could
   *     not be put back
   */
  List<Hit> hits(CallBatch batch) {
    List<Hit> hits = new ArrayList<>();
    for (int i = 0; i < pairs(); i++) {
      long off = batch.result(first + 2 * i);
      long on = batch.result(first + 2 * i + 1);
      if (off == 0 && on == 0) {
        hits.add(new Hit(fd(i), place(i)));
      } else if (off != -Errno.ENOENT) {
        long failure = off == 0 ? on : off;
        throw new SyscallException("ioctl(KVM_IOEVENTFD)", (int) -failure, fd(i).toString());
      }
    }
    return hits;
  }
}
