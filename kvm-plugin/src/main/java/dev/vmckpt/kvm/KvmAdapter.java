// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.setup.SetupFile;
import dev.vmckpt.kvm.state.MsrsSeen;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.AreaClaim;
import dev.vmckpt.spi.AreaResource;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Carries a KVM virtual machine of any monitor. */
public final class KvmAdapter implements Adapter {
  private static final String STANDS_STILL =
      "memory slots are searched for: before Linux 6.18 the machine has to stand still for that,"
          + " mostly less than a second, five at most; after `vmckpt run` it need not";

  private final Supplier<MachineFinder> finders;
  private final MsrsSeen seen = new MsrsSeen();

  /** With what finds things by how KVM answers. */
  public KvmAdapter() {
    this(KernelFinder::new);
  }

  /**
   * @param finders makes what finds memory slots and eventfds, one for each snapshot
   */
  public KvmAdapter(Supplier<MachineFinder> finders) {
    this.finders = finders;
  }

  @Override
  public String name() {
    return "kvm";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries("/dev/kvm", "opened again", false),
        new Carries(
            "KVM virtual machine",
            "made again with its memory slots, interrupt controllers, timer, clock and eventfds;"
                + " `--reattach kvm:clock=real` lets its clocks go on by the time that passed",
            false),
        new Carries(
            "KVM vcpu",
            "made again with its registers; `--reattach kvm:cpu=mask` without what this host lacks,"
                + " `kvm:cpu=host` as this host's",
            false),
        new Carries("statistics of KVM", "begin anew", true));
  }

  /** Threads run on while vcpus settle: what wants to find a device at rest looks after that. */
  @Override
  public List<String> before() {
    return List.of("tpm");
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    return Claims.of(resource, context.descriptors());
  }

  @Override
  public Optional<AreaClaim> claim(AreaResource area, ClaimContext context) {
    return Claims.of(area, context.descriptors());
  }

  @Override
  public List<Finding> examine(List<DescriptorResource> claimed, ExamineContext context) {
    Machine machine = new Machine(claimed);
    DescriptorResource vm = machine.vm();
    if (vm == null) {
      return List.of();
    }
    RemoteTask lodger = context.lodger();
    Protection.check(lodger, vm.fd(), context.pid());
    VmFacts facts = facts(machine, vm, context.pid(), lodger);
    MachineFinder finder = finders.get();
    List<SlotImage> slots =
        finder.slots(lodger, vm.fd(), context.pid(), facts.hints(), KvmAdapter::notForALook);
    List<SlotImage> placed = new ArrayList<>();
    List<Finding> wired = new ArrayList<>();
    List<RemoteFd> eventFds = EventFds.of(context.pid());
    // Where neighbours lie is a guess before that; and a guest that runs would miss what is taken
    // off for a moment.
    context.frozen(
        () -> {
          placed.addAll(finder.confirm(lodger, vm.fd(), null).orElse(slots));
          wired.addAll(
              Examination.ofEventFds(
                  finder.irqFds(lodger, vm.fd(), eventFds, facts.irqFds()),
                  finder.ioEventFds(lodger, vm.fd(), eventFds, facts.ioEventFds())));
        });
    List<Finding> findings = new ArrayList<>(Examination.of(machine, facts, placed, lodger));
    findings.addAll(wired);
    return findings;
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    Machine machine = new Machine(claimed);
    DescriptorResource vm = machine.vm();
    if (vm == null) {
      return new KvmDetachment(machine, context.pid(), null, seen);
    }
    RemoteTask lodger = context.lodger();
    Protection.check(lodger, vm.fd(), context.pid());
    VmFacts facts = facts(machine, vm, context.pid(), lodger);
    MachineFinder finder = finders.get();
    finder.slots(
        lodger,
        vm.fd(),
        context.pid(),
        facts.hints(),
        work -> {
          context.announce(STANDS_STILL);
          context.frozen(work);
        });
    List<RemoteFd> eventFds = EventFds.of(context.pid());
    Prepared prepared = new Prepared(lodger, machine, vm.fd(), finder, facts, eventFds);
    return new KvmDetachment(machine, context.pid(), prepared, seen);
  }

  /** The guest is not stopped for seconds by somebody who wants to look only. */
  private static void notForALook(Runnable work) {
    throw new RefusedException(
        "a look at the memory slots",
        List.of(
            new Refusal(
                "anon_inode:kvm-vm",
                "this kernel (before Linux 6.18) tells its memory slots of a stopped machine only;"
                    + " a snapshot stops it for that",
                "start the machine by `vmckpt run`, which notes the slots as they are made")));
  }

  private VmFacts facts(Machine machine, DescriptorResource vm, int pid, RemoteTask lodger) {
    DescriptorResource system = machine.systems().isEmpty() ? null : machine.systems().get(0);
    for (SetupImage setup : SetupFile.find(pid).stream().toList()) {
      for (RemoteFd number : vm.numbers()) {
        Optional<SetupImage.Machine> known = setup.machine(number.number());
        if (known.isPresent()) {
          SettingsImage settings =
              new SettingsImage(Finding.Source.RECORDED, known.get().vmType(), known.get().calls());
          return VmFacts.of(
              lodger,
              vm.fd(),
              system,
              seen,
              settings,
              known.get().slots(),
              known.get().irqFds(),
              known.get().ioEventFds());
        }
      }
    }
    return VmFacts.of(
        lodger, vm.fd(), system, seen, VmFacts.ASSUMED, List.of(), List.of(), List.of());
  }

  @Override
  public void rehearse(ExamineContext understudy) {
    Sample.make(understudy.lodger());
  }

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    return KvmPreflight.check(new Saved(recorded), context);
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new KvmReattachment(recorded, context);
  }
}
