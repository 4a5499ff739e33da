// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Arrays;

/**
 * Calls of a vm that differ in their argument only.
 *
 * @param request the number of the ioctl
 * @param structures their arguments, one after another
 * @param each the bytes of one
 */
record Questions(long request, byte[] structures, int each) {
  /** Asked by a batch, and answered when it has run. */
  record Asked(CallBatch batch, int first, int count) {
    long[] answers() {
      long[] answers = new long[count];
      for (int i = 0; i < count; i++) {
        answers[i] = batch.result(first + i);
      }
      return answers;
    }
  }

  int count() {
    return structures.length / each;
  }

  /** The bytes its arguments take in a batch. */
  int bytes() {
    return structures.length + 15 & -16;
  }

  /** Some of them. */
  Questions part(int from, int to) {
    return new Questions(request, Arrays.copyOfRange(structures, from * each, to * each), each);
  }

  /** Adds them to a batch. */
  Asked ask(CallBatch batch, RemoteFd vm) {
    RemoteAddress at = batch.place(structures);
    int first = 0;
    for (int i = 0; i < count(); i++) {
      int call = batch.tryCall(Nr.IOCTL, vm.number(), request, at.plus((long) i * each).value());
      first = i == 0 ? call : first;
    }
    return new Asked(batch, first, count());
  }
}
