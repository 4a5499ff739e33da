// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The model specific registers of one vcpu, read many at a time: a call costs 5 microseconds, each
 * register in it a tenth of one. KVM_GET_MSRS ends at the first that the vcpu does not have, and
 * tells how many it has read; what came behind that one is asked for again, in smaller pieces,
 * until each was read or is known to be missing.
 */
final class MsrReading implements StagedReading {
  /** How many are asked for at once behind one that is missing in the middle. */
  private static final int PIECE = 8;

  /** Registers asked for by one call. */
  private record Asked(int[] indices, int call, RemoteAddress place) {}

  private final RemoteFd fd;
  private final byte[] found;
  private int length = KvmLayout.MSRS_HEADER;
  private final List<Asked> asked = new ArrayList<>();
  private List<int[]> open;

  /**
   * @param families registers of which a vcpu mostly has either all or none
   */
  MsrReading(RemoteFd fd, int[][] families) {
    this.fd = fd;
    open = List.of(families);
    int count = 0;
    for (int[] family : families) {
      count += family.length;
    }
    found = new byte[KvmLayout.MSRS_HEADER + count * KvmLayout.MSR_ENTRY];
  }

  @Override
  public void ask(CallBatch batch) {
    for (int[] indices : open) {
      byte[] one = new byte[bytes(indices)];
      ByteBuffer argument = Calls.view(one);
      argument.putInt(0, indices.length);
      for (int i = 0; i < indices.length; i++) {
        argument.putInt(KvmLayout.MSRS_HEADER + i * KvmLayout.MSR_ENTRY, indices[i]);
      }
      RemoteAddress place = batch.place(one);
      int call = batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.GET_MSRS, place.value());
      asked.add(new Asked(indices, call, place));
    }
  }

  private static int bytes(int[] indices) {
    return KvmLayout.MSRS_HEADER + indices.length * KvmLayout.MSR_ENTRY;
  }

  @Override
  public boolean collect(CallBatch batch) {
    if (asked.isEmpty()) {
      return true;
    }
    // They lie one behind the other.
    Asked last = asked.get(asked.size() - 1);
    long first = asked.get(0).place().value();
    byte[] all =
        batch.read(
            asked.get(0).place(), (int) (last.place().value() - first) + bytes(last.indices()));
    List<int[]> rest = new ArrayList<>();
    for (Asked each : asked) {
      int[] indices = each.indices();
      int got = (int) Math.max(0, batch.result(each.call()));
      int at = (int) (each.place().value() - first) + KvmLayout.MSRS_HEADER;
      System.arraycopy(all, at, found, length, got * KvmLayout.MSR_ENTRY);
      length += got * KvmLayout.MSR_ENTRY;
      // Where the first is missing the others mostly are too, and a failing call is cheap.
      int piece = got == 0 ? 1 : PIECE;
      for (int from = got + 1; from < indices.length; from += piece) {
        rest.add(Arrays.copyOfRange(indices, from, Math.min(indices.length, from + piece)));
      }
    }
    asked.clear();
    open = rest;
    return rest.isEmpty();
  }

  @Override
  public byte[] bytes() {
    int count = (length - KvmLayout.MSRS_HEADER) / KvmLayout.MSR_ENTRY;
    Calls.view(found).putInt(0, count);
    return Arrays.copyOf(found, length);
  }
}
