// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.memory.AddressSpacePlan;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteProcess;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The areas that a target keeps from its forks (MADV_DONTFORK, MADV_WIPEONFORK of madvise(2)), as
 * QEMU does with its guest's memory: lent to one fork of ours, while all its threads are stopped.
 */
final class ForkLoan {
  private static final int MADV_DONTFORK = 10;
  private static final int MADV_DOFORK = 11;
  private static final int MADV_WIPEONFORK = 18;
  private static final int MADV_KEEPONFORK = 19;

  private final List<long[]> leftOut;
  private final List<long[]> wiped;
  private final RemoteProcess target;
  private final @Nullable RemoteTask lodger;

  /**
   * @param lodger shares the memory, and makes the calls in one go if it is there
   */
  ForkLoan(AddressSpacePlan memory, RemoteProcess target, @Nullable RemoteTask lodger) {
    leftOut = memory.leftOutByFork();
    wiped = memory.wipedByFork();
    this.target = target;
    this.lodger = lodger;
  }

  void lend() {
    advise(MADV_DOFORK, MADV_KEEPONFORK);
  }

  void takeBack() {
    advise(MADV_DONTFORK, MADV_WIPEONFORK);
  }

  private void advise(int ofLeftOut, int ofWiped) {
    CallBatch batch = lodger == null ? null : lodger.batch();
    advise(batch, leftOut, ofLeftOut);
    advise(batch, wiped, ofWiped);
    if (batch != null) {
      batch.run();
    }
  }

  private void advise(@Nullable CallBatch batch, List<long[]> areas, int advice) {
    for (int i = 0; i < areas.size(); i++) {
      long start = areas.get(i)[0];
      long bytes = areas.get(i)[1] - start;
      if (batch == null) {
        target.call("madvise", "a range", Nr.MADVISE, start, bytes, advice);
      } else {
        batch.call("madvise", "a range", Nr.MADVISE, start, bytes, advice);
      }
    }
  }
}
