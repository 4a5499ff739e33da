// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.events;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes each of some eventfds off each of some places, by one batch that can be prepared while the
 * target runs. What was taken off has to be put back.
 */
public final class IoEventFdSweep {
  /** An eventfd and a place where it was. */
  record Hit(RemoteFd fd, Window place) {}

  private final List<RemoteFd> eventFds;
  private final List<Window> places;
  private final byte[] structures;
  private int first;

  /**
   * @param windows where to look; each of their places is a call
   */
  IoEventFdSweep(List<RemoteFd> eventFds, List<Window> windows) {
    this.eventFds = List.copyOf(eventFds);
    places = new ArrayList<>();
    for (Window window : windows) {
      for (int i = 0; i < window.count(); i++) {
        places.add(window.at(i));
      }
    }
    int bytes = IoEventFds.IOEVENTFD_BYTES;
    structures = new byte[calls() * bytes];
    for (int i = 0; i < calls(); i++) {
      byte[] one = IoEventFds.structure(fd(i), place(i), Window.DEASSIGN);
      System.arraycopy(one, 0, structures, i * bytes, bytes);
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
    return eventFds.size() * places.size();
  }

  /** How many bytes their arguments take. */
  public int bytes() {
    return structures.length;
  }

  /** Adds the calls to a batch. */
  public void ask(CallBatch batch, RemoteFd vm) {
    RemoteAddress at = batch.place(structures);
    for (int i = 0; i < calls(); i++) {
      long place = at.plus((long) i * IoEventFds.IOEVENTFD_BYTES).value();
      int call = batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.IOEVENTFD, place);
      first = i == 0 ? call : first;
    }
  }

  /** What was taken off, when the batch has run. */
  List<Hit> hits(CallBatch batch) {
    List<Hit> hits = new ArrayList<>();
    for (int i = 0; i < calls(); i++) {
      if (batch.result(first + i) != -Errno.ENOENT) {
        hits.add(new Hit(fd(i), place(i)));
      }
    }
    return hits;
  }
}
