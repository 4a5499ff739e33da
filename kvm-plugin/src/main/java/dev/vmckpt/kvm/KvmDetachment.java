// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.StatsImage;
import dev.vmckpt.kvm.image.SystemImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.kvm.state.MsrsSeen;
import dev.vmckpt.kvm.state.TimeRule;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A KVM machine from detaching to resuming. Nothing of it has to be brought to rest outside. */
final class KvmDetachment implements Detachment {
  private static final int API_VERSION = 12;
  private static final int REALTIME = 4;
  private static final long SETTLE_LIMIT_MILLIS = 5000;

  private final Machine machine;
  private final int pid;
  private final @Nullable Prepared prepared;
  private final MsrsSeen seen;
  private final List<VcpuImage> recordedVcpus = new ArrayList<>();

  /** What was parsed last. */
  private String maps = "";

  private RunMappings mappings = RunMappings.parse(maps);

  /**
   * @param prepared what is asked in the pause; null if there is no vm
   * @param seen is told what the vcpus had
   */
  KvmDetachment(Machine machine, int pid, @Nullable Prepared prepared, MsrsSeen seen) {
    this.machine = machine;
    this.pid = pid;
    this.prepared = prepared;
    this.seen = seen;
  }

  @Override
  public void settle(SettleContext context) {
    if (!machine.vcpus().isEmpty()) {
      Settling.settle(machine.vcpus(), mappings(context.maps()), context, pid, SETTLE_LIMIT_MILLIS);
    }
  }

  private RunMappings mappings(String now) {
    if (!now.equals(maps)) {
      mappings = RunMappings.parse(now);
      maps = now;
    }
    return mappings;
  }

  @Override
  public void begin() {
    if (prepared != null) {
      prepared.begin();
    }
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<Recorded> all = new ArrayList<>();
    for (DescriptorResource system : machine.systems()) {
      all.add(recorded(context, system, "KVM", KvmImage.of(new SystemImage(API_VERSION))));
    }
    DescriptorResource vm = machine.vm();
    Prepared ready = prepared;
    if (vm != null && ready != null) {
      recordMachine(context, vm, ready, all);
    }
    for (DescriptorResource stats : machine.stats()) {
      Link link = Link.of(stats);
      int vcpu = link == null ? -1 : link.vcpu();
      StatsImage image = new StatsImage(vcpu, context.infoNow(stats).position());
      all.add(recorded(context, stats, "statistics of KVM", KvmImage.of(image)));
    }
    return all;
  }

  private void recordMachine(
      RecordContext context, DescriptorResource vm, Prepared ready, List<Recorded> all) {
    RemoteTask lodger = context.lodger();
    Map<String, byte[]> groups = new LinkedHashMap<>(ready.vm());
    RunMappings now = mappings(context.maps());
    machine
        .vcpus()
        .forEach(
            (id, vcpu) -> {
              byte[] pages = runPages(lodger, now.byVcpu().get(id));
              VcpuImage image = new VcpuImage(id, ready.vcpu(id), pages);
              recordedVcpus.add(image);
              all.add(recorded(context, vcpu, "vcpu " + id, KvmImage.of(image)));
            });
    groups.putAll(ready.facts().facts());
    all.add(
        recorded(
            context,
            vm,
            "virtual machine, " + machine.vcpus().size() + " vcpus",
            KvmImage.of(vmImage(ready, groups))));
  }

  private VmImage vmImage(Prepared ready, Map<String, byte[]> groups) {
    VmFacts known = ready.facts();
    List<SlotImage> present = ready.slots().orElseThrow(this::slotsChanged);
    List<RemoteFd> eventFds = EventFds.of(pid);
    List<IrqFdImage> irqFds = ready.irqFds(eventFds);
    List<IoEventFdImage> ioEventFds = ready.ioEventFds(eventFds);
    return new VmImage(
        groups,
        present,
        irqFds,
        ioEventFds,
        known.settings(),
        realtime(groups.get(VmGroups.CLOCK), ready.started()),
        known.hostTscKhz());
  }

  private RefusedException slotsChanged() {
    return new RefusedException(
        "snapshot of " + pid,
        List.of(
            new Refusal(
                "memory slots",
                "they change faster than they can be found",
                "try again, or start the monitor with vmckpt run")));
  }

  /** CLOCK_REALTIME of the very moment if KVM told it with its clock. */
  private static long realtime(byte @Nullable [] clock, Instant now) {
    if (clock != null && (Calls.view(clock).getInt(KvmLayout.CLOCK_FLAGS) & REALTIME) != 0) {
      return Calls.view(clock).getLong(KvmLayout.CLOCK_REALTIME);
    }
    return TimeRule.nanos(now);
  }

  private static byte[] runPages(RemoteTask lodger, RunMappings.@Nullable Mapping mapping) {
    if (mapping == null) {
      return new byte[0];
    }
    byte[] pages = lodger.read(mapping.start(), mapping.bytes());
    int length = pages.length;
    while (length > 0 && pages[length - 1] == 0) {
      length--;
    }
    return Arrays.copyOf(pages, length);
  }

  /** The state is put into text when the manifest is written, not in the pause. */
  private static Recorded recorded(
      RecordContext context, DescriptorResource resource, String summary, KvmImage image) {
    int flags = context.infoNow(resource).flags();
    return new Recorded(resource.fd(), flags, summary, new JsonTree(image), 0);
  }

  @Override
  public void resume() {
    // Nothing was brought to rest.
  }

  @Override
  public long finish() {
    recordedVcpus.forEach(vcpu -> seen.learn(vcpu.groups()));
    return 0;
  }
}
