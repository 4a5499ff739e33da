// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the KVM of a host can do for any machine, asked of {@code /dev/kvm}.
 *
 * @param apiVersion KVM_GET_API_VERSION
 * @param cpuid struct kvm_cpuid2 of KVM_GET_SUPPORTED_CPUID
 * @param msrs the numbers of KVM_GET_MSR_INDEX_LIST
 */
record SystemFacts(int apiVersion, byte[] cpuid, List<Integer> msrs) {
  private static final String DEVICE = "/dev/kvm";
  private static final long AT_FDCWD = -100;
  private static final int O_RDWR_CLOEXEC = 2 | 02000000;
  private static final int MAX_CPUID = 256;
  private static final int MAX_MSRS = 2048;

  /** Opens /dev/kvm over there: the descriptor, or minus the errno. */
  static long tryOpen(RemoteTask task) {
    RemoteAddress path = task.scratch();
    byte[] text = DEVICE.getBytes(StandardCharsets.US_ASCII);
    task.write(path, Arrays.copyOf(text, text.length + 1));
    return task.tryCall(Nr.OPENAT, AT_FDCWD, path.value(), O_RDWR_CLOEXEC, 0);
  }

  /**
   * Asks.
   *
   * @param system a descriptor of /dev/kvm over there
   */
  static SystemFacts of(RemoteTask task, RemoteFd system) {
    CallBatch batch = task.batch();
    int version =
        batch.call(
            "KVM_GET_API_VERSION", DEVICE, Nr.IOCTL, system.number(), KvmIoctl.GET_API_VERSION, 0);
    byte[] cpuidRoom = new byte[KvmLayout.CPUID_HEADER + MAX_CPUID * KvmLayout.CPUID_ENTRY];
    Calls.view(cpuidRoom).putInt(0, MAX_CPUID);
    RemoteAddress cpuid = batch.place(cpuidRoom);
    batch.call(
        "KVM_GET_SUPPORTED_CPUID",
        DEVICE,
        Nr.IOCTL,
        system.number(),
        KvmIoctl.GET_SUPPORTED_CPUID,
        cpuid.value());
    byte[] msrRoom = new byte[Integer.BYTES * (1 + MAX_MSRS)];
    Calls.view(msrRoom).putInt(0, MAX_MSRS);
    RemoteAddress msrs = batch.place(msrRoom);
    batch.call(
        "KVM_GET_MSR_INDEX_LIST",
        DEVICE,
        Nr.IOCTL,
        system.number(),
        KvmIoctl.GET_MSR_INDEX_LIST,
        msrs.value());
    batch.run();
    byte[] allCpuid = batch.read(cpuid, cpuidRoom.length);
    int entries = Calls.view(allCpuid).getInt(0);
    return new SystemFacts(
        (int) batch.result(version),
        Arrays.copyOf(allCpuid, KvmLayout.CPUID_HEADER + entries * KvmLayout.CPUID_ENTRY),
        numbers(batch.read(msrs, msrRoom.length)));
  }

  private static List<Integer> numbers(byte[] list) {
    ByteBuffer view = Calls.view(list);
    List<Integer> numbers = new ArrayList<>();
    for (int i = 0; i < view.getInt(0); i++) {
      numbers.add(view.getInt(Integer.BYTES * (1 + i)));
    }
    return numbers;
  }

  /** Whether an error of opening /dev/kvm says that there is no KVM at all. */
  static boolean isMissing(long result) {
    return result == -Errno.ENOENT || result == -Errno.ENODEV || result == -Errno.ENXIO;
  }
}
