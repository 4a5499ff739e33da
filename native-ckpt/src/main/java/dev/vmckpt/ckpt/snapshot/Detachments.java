// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** What adapters have brought to rest for one attempt. */
final class Detachments {
  private final List<Detachment> begun = new ArrayList<>();

  /** Lets some of the adapters bring what they claimed to rest. */
  void detach(AdapterSet adapters, Plan plan, DetachContext context, Predicate<Adapter> which) {
    for (Adapter adapter : adapters.ordered()) {
      if (which.test(adapter)) {
        begun.add(adapter.detach(plan.claimedBy(adapter), context));
      }
    }
  }

  /** Whether one of them has brought the guest to rest. */
  boolean guestRests() {
    for (int i = 0; i < begun.size(); i++) {
      if (begun.get(i).guestRests()) {
        return true;
      }
    }
    return false;
  }

  /** Lets them bring threads to a better place. All threads are stopped, and stay so. */
  void settle(SettleContext context) {
    for (int i = 0; i < begun.size(); i++) {
      begun.get(i).settle(context);
    }
  }

  /** Lets them begin what goes on by itself; the target is frozen. */
  void begin() {
    for (int i = 0; i < begun.size(); i++) {
      begun.get(i).begin();
    }
  }

  /**
   * Lets them record; the target is frozen.
   *
   * @param into is given what they recorded, by its number: what was claimed before a plan was made
   *     anew in the pause is another object
   * @return how many bytes were copied meanwhile
   */
  long record(RecordContext context, Map<RemoteFd, Recorded> into) {
    long copied = 0;
    for (int i = 0; i < begun.size(); i++) {
      List<Recorded> recorded = begun.get(i).record(context);
      for (int j = 0; j < recorded.size(); j++) {
        copied += recorded.get(j).copiedInPauseBytes();
        into.put(recorded.get(j).fd(), recorded.get(j));
      }
    }
    return copied;
  }

  /**
   * Undoes every detaching, last first.
   *
   * @param earlier see {@link Undoing#lastFirst}
   */
  void resume(@Nullable RuntimeException earlier) {
    Undoing.lastFirst(begun, Detachment::resume, earlier);
  }

  /** Lets them finish what they kept; the target runs. */
  void finish() {
    for (Detachment one : begun) {
      one.finish();
    }
  }
}
