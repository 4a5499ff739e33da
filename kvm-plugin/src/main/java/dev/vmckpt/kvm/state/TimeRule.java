// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * How a guest's clocks go on: the clock of the vm and the time stamp counters of its vcpus, which
 * must agree. Either they stand still between snapshot and restore, or they have gone on by the
 * real time that passed.
 *
 * <p>The counters are set by their offsets where both hosts tell their own counter together with
 * the clock, and the guest's runs at the host's frequency, as Documentation/virt/kvm/devices/
 * vcpu.rst describes it: offset + (clock passed) × frequency + (host then − host now). Else the
 * counter itself is set, and KVM puts those of several vcpus that are less than a second apart
 * together again.
 */
public final class TimeRule {
  private static final int REALTIME = 4;
  private static final int HOST_TSC = 8;
  private static final BigInteger NANOS_PER_MILLI = BigInteger.valueOf(1_000_000);

  private final ByteBuffer then;
  private final ByteBuffer now;

  private TimeRule(byte[] then, byte[] now) {
    this.then = Calls.view(then);
    this.now = Calls.view(now);
  }

  /**
   * Sets the clock of a vm, and sees where it stands then.
   *
   * @param saved struct kvm_clock_data as it was read
   * @param realtimeNanos CLOCK_REALTIME when it was read, in nanoseconds since 1970
   * @param goOn whether the real time that passed has passed for the guest
   */
  public static TimeRule setClock(
      RemoteTask husk,
      RemoteFd vm,
      Capabilities capabilities,
      byte[] saved,
      long realtimeNanos,
      boolean goOn) {
    if (saved.length != KvmLayout.CLOCK) {
      throw Calls.corrupt("clock", vm, "has " + saved.length + " bytes");
    }
    ByteBuffer before = Calls.view(saved);
    byte[] argument = new byte[KvmLayout.CLOCK];
    ByteBuffer wanted = Calls.view(argument).putLong(0, before.getLong(0));
    if (goOn) {
      int known = before.getInt(KvmLayout.CLOCK_FLAGS) & capabilities.value(KvmCap.ADJUST_CLOCK);
      if ((known & REALTIME) != 0) {
        wanted.putInt(KvmLayout.CLOCK_FLAGS, REALTIME);
        wanted.putLong(KvmLayout.CLOCK_REALTIME, before.getLong(KvmLayout.CLOCK_REALTIME));
      } else {
        long passed = Math.max(0, nanos(Instant.now()) - realtimeNanos);
        wanted.putLong(0, before.getLong(0) + passed);
      }
    }
    CallBatch batch = husk.batch();
    RemoteAddress in = batch.place(argument);
    batch.call(
        "KVM_SET_CLOCK", vm.toString(), Nr.IOCTL, vm.number(), KvmIoctl.SET_CLOCK, in.value());
    RemoteAddress out = batch.reserve(KvmLayout.CLOCK);
    batch.call(
        "KVM_GET_CLOCK", vm.toString(), Nr.IOCTL, vm.number(), KvmIoctl.GET_CLOCK, out.value());
    batch.run();
    return new TimeRule(saved, batch.read(out, KvmLayout.CLOCK));
  }

  /** Nanoseconds since 1970. */
  public static long nanos(Instant instant) {
    return instant.getEpochSecond() * 1_000_000_000L + instant.getNano();
  }

  /** How much of the guest's time has passed since it was read, in nanoseconds. */
  public long passedNanos() {
    return now.getLong(0) - then.getLong(0);
  }

  /**
   * Adds what sets the time stamp counter of a vcpu, and sees whether it took: where guests have
   * the host's own counter, as without VMX and SVM, nobody can set it, and KVM does not say so.
   *
   * @param saved the groups of that vcpu
   * @param savedHostKhz the frequency of the host it was read on, 0 if unknown
   * @param hostKhz the frequency of this host, 0 if unknown
   * @return a difference of more than a second
   */
  public Setting setTsc(
      CallBatch batch,
      RemoteFd vcpu,
      Map<String, byte[]> saved,
      Capabilities capabilities,
      int savedHostKhz,
      int hostKhz) {
    byte[] khzBytes = saved.get(TscKhz.NAME);
    int khz = khzBytes == null ? 0 : Calls.view(khzBytes).getInt(0);
    byte[] offset = saved.get(TscOffset.NAME);
    byte[] msrs = saved.get(Msrs.NAME);
    Long counter = msrs == null ? null : Msrs.value(msrs, MsrIndices.TSC, null);
    int both = then.getInt(KvmLayout.CLOCK_FLAGS) & now.getInt(KvmLayout.CLOCK_FLAGS);
    boolean unscaled = khz != 0 && khz == savedHostKhz && khz == hostKhz;
    TscOffset group = new TscOffset();
    if (offset != null && unscaled && (both & HOST_TSC) != 0 && group.offered(capabilities)) {
      long host = then.getLong(KvmLayout.CLOCK_HOST_TSC) - now.getLong(KvmLayout.CLOCK_HOST_TSC);
      long here = Calls.view(offset).getLong(0) + cycles(khz) + host;
      byte[] bytes = Calls.struct(Long.BYTES).putLong(0, here).array();
      group.set(batch, vcpu, bytes, capabilities);
    } else if (counter != null) {
      RemoteAddress place = batch.place(Msrs.one(MsrIndices.TSC, counter + cycles(khz)));
      batch.tryCall(Nr.IOCTL, vcpu.number(), KvmIoctl.SET_MSRS, place.value());
    }
    if (counter == null || khz == 0) {
      return Setting.DONE;
    }
    RemoteAddress place = batch.place(Msrs.one(MsrIndices.TSC, 0));
    batch.tryCall(Nr.IOCTL, vcpu.number(), KvmIoctl.GET_MSRS, place.value());
    long wanted = counter + cycles(khz);
    return () -> {
      long is = Msrs.value(batch.read(place, KvmLayout.MSRS_HEADER + KvmLayout.MSR_ENTRY), 0);
      return Math.abs(is - wanted) <= khz * 1000L
          ? List.of()
          : List.of(
              new Setting.Difference(
                  "its time stamp counter cannot be set here, and is "
                      + (is - wanted) / khz
                      + " ms from where it would be",
                  MsrIndices.TSC));
    };
  }

  /** The guest's time that passed, in cycles of its counter. */
  private long cycles(int khz) {
    return BigInteger.valueOf(passedNanos())
        .multiply(BigInteger.valueOf(khz))
        .divide(NANOS_PER_MILLI)
        .longValue();
  }
}
