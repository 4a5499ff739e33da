// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.kvm.state.Capabilities;
import dev.vmckpt.kvm.state.MsrsSeen;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a vm before the pause, and does not change in it.
 *
 * @param capabilities what its KVM offers
 * @param facts groups that say what the host it ran on could do: {@link #SUPPORTED_CPUID}, {@link
 *     #MSR_LIST}, {@link #XCOMP_GUEST}
 * @param msrs the MSRs that are read of its vcpus
 * @param hostTscKhz the frequency of the host's time stamp counter, 0 if unknown
 * @param settings what was set in it
 * @param hints slots a recorder heard of
 * @param irqFds irqfds a recorder heard of
 * @param ioEventFds ioeventfds a recorder heard of
 */
record VmFacts(
    Capabilities capabilities,
    Map<String, byte[]> facts,
    int[][] msrs,
    int hostTscKhz,
    SettingsImage settings,
    List<SlotImage> hints,
    List<IrqFdImage> irqFds,
    List<IoEventFdImage> ioEventFds) {
  /** The group of what the source host could have shown to guests: struct kvm_cpuid2. */
  static final String SUPPORTED_CPUID = "host-cpuid";

  /** The group of the MSRs the source host listed, 4 bytes each. */
  static final String MSR_LIST = "host-msr-list";

  /** The group of what extended states its guests were permitted, 8 bytes (arch_prctl(2)). */
  static final String XCOMP_GUEST = "xcomp-guest";

  private static final int ARCH_GET_XCOMP_GUEST_PERM = 0x1024;

  /** What is there when no recorder saw the machine being set up. */
  static final SettingsImage ASSUMED = new SettingsImage(Finding.Source.ASSUMED, 0, List.of());

  /**
   * Asks, while the target runs.
   *
   * @param system a descriptor of /dev/kvm, or null: then it is opened for a moment
   * @param seen what other vcpus had
   */
  static VmFacts of(
      RemoteTask lodger,
      RemoteFd vm,
      @Nullable DescriptorResource system,
      MsrsSeen seen,
      SettingsImage settings,
      List<SlotImage> hints,
      List<IrqFdImage> irqFds,
      List<IoEventFdImage> ioEventFds) {
    Capabilities capabilities = Capabilities.of(lodger, vm);
    Map<String, byte[]> facts = new LinkedHashMap<>();
    List<Integer> listed = List.of();
    SystemFacts host = system == null ? tryAsk(lodger) : SystemFacts.of(lodger, system.fd());
    if (host != null) {
      listed = host.msrs();
      facts.put(SUPPORTED_CPUID, host.cpuid());
      byte[] bytes = new byte[Integer.BYTES * listed.size()];
      ByteBuffer list = Calls.view(bytes);
      for (int msr : listed) {
        list.putInt(msr);
      }
      facts.put(MSR_LIST, bytes);
    }
    RemoteAddress permissions = lodger.scratch();
    if (lodger.tryCall(Nr.ARCH_PRCTL, ARCH_GET_XCOMP_GUEST_PERM, permissions.value()) == 0) {
      facts.put(XCOMP_GUEST, lodger.read(permissions, Long.BYTES));
    }
    long khz =
        capabilities.has(KvmCap.VM_TSC_CONTROL) || capabilities.has(KvmCap.GET_TSC_KHZ)
            ? lodger.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.GET_TSC_KHZ, 0)
            : 0;
    return new VmFacts(
        capabilities,
        facts,
        seen.families(listed),
        khz > 0 ? (int) khz : 0,
        settings,
        hints,
        irqFds,
        ioEventFds);
  }

  /** Opens /dev/kvm over there, asks and closes it; null if it cannot be opened there. */
  private static @Nullable SystemFacts tryAsk(RemoteTask lodger) {
    long fd = SystemFacts.tryOpen(lodger);
    if (fd < 0) {
      return null;
    }
    try {
      return SystemFacts.of(lodger, new RemoteFd((int) fd));
    } finally {
      Calls.check("close", "/dev/kvm", lodger.tryCall(Nr.CLOSE, fd));
    }
  }
}
