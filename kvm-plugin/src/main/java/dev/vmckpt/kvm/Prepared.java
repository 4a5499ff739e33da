// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.events.IoEventFdSweep;
import dev.vmckpt.kvm.events.IoEventFds;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.SlotCheck;
import dev.vmckpt.kvm.state.Readings;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What is asked of a machine in the pause, put together while it runs. The state of the vm and of
 * its vcpus and the questions about its memory slots are one batch, which is started as soon as all
 * threads have settled, and made while they are read; the search for ioeventfds is another, as what
 * it finds has to be put back at once.
 *
 * <p>What there is no room for is put together in the pause.
 */
final class Prepared {
  /** Room for the groups of a vm, and of a vcpu: with AMX and nested state less than 48 KiB. */
  private static final int VM_BYTES = 16 << 10;

  private static final int VM_CALLS = 16;
  private static final int VCPU_BYTES = 64 << 10;
  private static final int VCPU_CALLS = 512;

  private final RemoteTask lodger;
  private final RemoteFd vm;
  private final MachineFinder finder;
  private final VmGroups vmGroups;
  private final VcpuGroups vcpuGroups;
  private final Map<Integer, DescriptorResource> vcpus;
  private final VmFacts facts;
  private final Map<Integer, Readings> ofVcpus = new HashMap<>();
  private @Nullable Readings ofVm;
  private @Nullable CallBatch state;
  private @Nullable SlotCheck slots;
  private @Nullable IoEventFdSweep ioEventFds;
  private @Nullable CallBatch sweep;
  private Instant started = Instant.EPOCH;

  /**
   * @param finder has found the slots
   * @param eventFds of the target
   */
  Prepared(
      RemoteTask lodger,
      Machine machine,
      RemoteFd vm,
      MachineFinder finder,
      VmFacts facts,
      List<RemoteFd> eventFds) {
    this.lodger = lodger;
    this.vm = vm;
    this.finder = finder;
    this.facts = facts;
    vcpus = machine.vcpus();
    vmGroups = new VmGroups(facts.capabilities());
    vcpuGroups = new VcpuGroups(facts.capabilities(), facts.msrs());
    prepareState();
    prepareSweep(eventFds);
  }

  /** The clock first and the vcpus at once behind it: their counters are reckoned against it. */
  private void prepareState() {
    SlotCheck check = finder.prepare(lodger, vm);
    int some = vcpus.size();
    CallBatch batch = room(some, check);
    while (batch == null && some > 0) {
      some /= 2;
      batch = room(some, check);
    }
    if (batch == null) {
      return;
    }
    state = batch;
    ofVm = vmGroups.read(batch, vm);
    for (Map.Entry<Integer, DescriptorResource> vcpu : vcpus.entrySet()) {
      if (ofVcpus.size() < some) {
        ofVcpus.put(vcpu.getKey(), vcpuGroups.read(batch, vcpu.getValue().fd()));
      }
    }
    if (check != null) {
      check.ask(batch);
      slots = check;
    }
  }

  /** A batch for the vm, some of its vcpus and the questions about its slots, if there is room. */
  private @Nullable CallBatch room(int some, @Nullable SlotCheck check) {
    int calls = VM_CALLS + some * VCPU_CALLS + (check == null ? 0 : check.calls());
    int bytes = VM_BYTES + some * VCPU_BYTES + (check == null ? 0 : check.bytes());
    return lodger.tryPrepare(calls, bytes);
  }

  private void prepareSweep(List<RemoteFd> eventFds) {
    IoEventFdSweep prepared = finder.prepare(eventFds, facts.ioEventFds());
    CallBatch batch =
        prepared == null ? null : lodger.tryPrepare(prepared.calls(), prepared.bytes());
    if (prepared != null && batch != null) {
      prepared.ask(batch, vm);
      sweep = batch;
      ioEventFds = prepared;
    }
  }

  /** Starts reading the state. All threads of the target have settled. */
  void begin() {
    started = Instant.now();
    if (state != null) {
      state.start();
    }
  }

  /** When {@link #begin} was called. */
  Instant started() {
    return started;
  }

  /** What was found out about the vm before. */
  VmFacts facts() {
    return facts;
  }

  /** The state of the vm, by group. */
  Map<String, byte[]> vm() {
    Readings readings = ofVm;
    if (state == null || readings == null) {
      return read(batch -> vmGroups.read(batch, vm));
    }
    state.run();
    return readings.bytes(lodger);
  }

  /** The state of a vcpu, by group; after {@link #vm}. */
  Map<String, byte[]> vcpu(int id) {
    Readings readings = ofVcpus.get(id);
    return readings == null
        ? read(batch -> vcpuGroups.read(batch, Objects.requireNonNull(vcpus.get(id)).fd()))
        : readings.bytes(lodger);
  }

  private Map<String, byte[]> read(Function<CallBatch, Readings> groups) {
    CallBatch batch = lodger.batch();
    Readings readings = groups.apply(batch);
    batch.run();
    return readings.bytes(lodger);
  }

  /** The memory slots as they are now; after {@link #vm}. Empty if they cannot be told. */
  Optional<List<SlotImage>> slots() {
    return finder.confirm(lodger, vm, slots);
  }

  /**
   * The irqfds.
   *
   * @param eventFds of the target now
   */
  List<IrqFdImage> irqFds(List<RemoteFd> eventFds) {
    return finder.irqFds(lodger, vm, eventFds, facts.irqFds());
  }

  /**
   * The ioeventfds.
   *
   * @param eventFds of the target now
   */
  List<IoEventFdImage> ioEventFds(List<RemoteFd> eventFds) {
    IoEventFdSweep prepared = ioEventFds;
    CallBatch batch = sweep;
    if (prepared == null || batch == null || !prepared.eventFds().equals(eventFds)) {
      return finder.ioEventFds(lodger, vm, eventFds, facts.ioEventFds());
    }
    return IoEventFds.find(lodger, vm, prepared, batch);
  }
}
