// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The model specific registers (struct kvm_msrs). Behind CPUID, which says which there are, and the
 * local APIC, whose timer TSC_DEADLINE arms: that one is set last. The time stamp counter is left
 * to {@link TimeRule}.
 *
 * <p>Each is set by a call of its own: a call for many stops at the first that this vcpu does not
 * have. Reading has its own way around that, see {@link MsrReading}.
 */
public final class Msrs implements StateGroup {
  public static final String NAME = "msrs";

  private static final int ONE = KvmLayout.MSRS_HEADER + KvmLayout.MSR_ENTRY;

  private final int[][] families;

  /**
   * @param families those that are read if the vcpu has them, see {@link MsrIndices#families}
   */
  public Msrs(int[][] families) {
    this.families = families.clone();
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return true;
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    MsrReading reading = new MsrReading(fd, families);
    reading.ask(batch);
    return reading;
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    int count = count(saved);
    if (count < 0 || saved.length != KvmLayout.MSRS_HEADER + (long) count * KvmLayout.MSR_ENTRY) {
      throw Calls.corrupt(NAME, fd, "has " + saved.length + " bytes");
    }
    List<Written> written = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      if (index(saved, i) != MsrIndices.TSC && index(saved, i) != MsrIndices.TSC_DEADLINE) {
        written.add(write(batch, fd, index(saved, i), value(saved, i)));
      }
    }
    Long deadline = value(saved, MsrIndices.TSC_DEADLINE, null);
    if (deadline != null) {
      written.add(write(batch, fd, MsrIndices.TSC_DEADLINE, deadline));
    }
    return () -> differences(batch, written);
  }

  private static Written write(CallBatch batch, RemoteFd fd, int index, long value) {
    RemoteAddress in = batch.place(one(index, value));
    int set = batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.SET_MSRS, in.value());
    RemoteAddress out = batch.place(one(index, 0));
    int get = batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.GET_MSRS, out.value());
    return new Written(index, value, set, get, out);
  }

  /** What could not be set and is not what it should be anyway: many are the same everywhere. */
  private static List<Setting.Difference> differences(CallBatch batch, List<Written> written) {
    List<Setting.Difference> differences = new ArrayList<>();
    for (Written each : written) {
      if (batch.result(each.set()) == 1) {
        continue;
      }
      boolean there = batch.result(each.get()) == 1;
      long now = there ? value(batch.read(each.out(), ONE), 0) : 0;
      if (!there || now != each.value()) {
        differences.add(
            new Setting.Difference(
                "MSR 0x"
                    + Integer.toHexString(each.index())
                    + " was 0x"
                    + Long.toHexString(each.value())
                    + (there ? " and is 0x" + Long.toHexString(now) : " and is not there"),
                each.index()));
      }
    }
    return differences;
  }

  /** struct kvm_msrs with one entry. */
  static byte[] one(int index, long value) {
    return Calls.struct(ONE)
        .putInt(0, 1)
        .putInt(KvmLayout.MSRS_HEADER, index)
        .putLong(KvmLayout.MSRS_HEADER + KvmLayout.MSR_DATA, value)
        .array();
  }

  /** Adds what reads one register, 8 bytes; nothing if the vcpu does not have it. */
  static Reading readOne(CallBatch batch, RemoteFd fd, int index) {
    RemoteAddress place = batch.place(one(index, 0));
    int call = batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.GET_MSRS, place.value());
    return () ->
        batch.result(call) != 1
            ? null
            : batch.read(place.plus(KvmLayout.MSRS_HEADER + KvmLayout.MSR_DATA), Long.BYTES);
  }

  static int count(byte[] saved) {
    return saved.length < KvmLayout.MSRS_HEADER ? -1 : Calls.view(saved).getInt(0);
  }

  static int index(byte[] saved, int at) {
    return Calls.view(saved).getInt(KvmLayout.MSRS_HEADER + at * KvmLayout.MSR_ENTRY);
  }

  static long value(byte[] saved, int at) {
    return Calls.view(saved)
        .getLong(KvmLayout.MSRS_HEADER + at * KvmLayout.MSR_ENTRY + KvmLayout.MSR_DATA);
  }

  /**
   * The saved value of one MSR.
   *
   * @param otherwise the answer if it was not saved
   */
  public static @Nullable Long value(byte[] saved, int index, @Nullable Long otherwise) {
    for (int i = 0; i < count(saved); i++) {
      if (index(saved, i) == index) {
        return value(saved, i);
      }
    }
    return otherwise;
  }

  /** A register that is set and read back. */
  private record Written(int index, long value, int set, int get, RemoteAddress out) {}
}
