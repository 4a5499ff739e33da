// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.kvm.image.StatsImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.setup.SetupFile;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A KVM machine in a husk. The first descriptor that is asked for has all of them made, for a
 * vcpu's number may be lower than its vm's; they are filled when the husk is whole.
 */
final class KvmReattachment implements Reattachment {
  private final ReattachContext context;
  private final Saved saved;
  private final RestoreOptions options;
  private @Nullable RemoteFd system;
  private boolean systemUsed;
  private @Nullable MachineBuilder machine;
  private @Nullable CpuChoice cpus;

  /**
   * @param recorded everything of one machine
   */
  KvmReattachment(List<Recorded> recorded, ReattachContext context) {
    this.context = context;
    saved = new Saved(recorded);
    options = RestoreOptions.of(context.reattach());
  }

  @Override
  public Reattached reattach(Recorded recorded) {
    KvmImage image = Saved.image(recorded);
    VcpuImage vcpu = image.vcpu();
    StatsImage stats = image.stats();
    if (image.system() != null) {
      RemoteFd first = made();
      if (systemUsed) {
        return new Reattached(open());
      }
      systemUsed = true;
      return new Reattached(first);
    }
    made();
    MachineBuilder built = Objects.requireNonNull(machine, "a snapshot without a vm");
    if (stats != null) {
      RemoteFd fd = built.stats(stats.vcpu());
      skip(fd, stats.position());
      return new Reattached(fd);
    }
    return new Reattached(vcpu == null ? built.vm() : built.vcpu(vcpu.id()));
  }

  /** Makes everything if it is not made yet; a parked descriptor of /dev/kvm. */
  private RemoteFd made() {
    RemoteFd there = system;
    if (there != null) {
      return there;
    }
    RemoteFd fd = context.park(open());
    system = fd;
    Saved.Vm vm = saved.vm();
    if (vm != null) {
      SystemFacts host = SystemFacts.of(context.husk(), fd);
      cpus = new CpuChoice(options.cpu(), vm.image(), host.cpuid());
      machine = new MachineBuilder(context, fd, saved, vm.image());
    }
    return fd;
  }

  private RemoteFd open() {
    long result = SystemFacts.tryOpen(context.husk());
    if (result < 0) {
      throw new SyscallException("openat", (int) -result, "/dev/kvm");
    }
    return new RemoteFd((int) result);
  }

  /** Statistics are read on from where they were read to; there is no lseek(2) for them. */
  private void skip(RemoteFd fd, long position) {
    RemoteTask husk = context.husk();
    for (long left = position; left > 0; ) {
      long step = Math.min(left, RemoteProcess.SCRATCH_BYTES);
      long read = husk.tryCall(Nr.READ, fd.number(), husk.scratch().value(), step);
      if (read <= 0) {
        return;
      }
      left -= read;
    }
  }

  @Override
  public void complete() {
    Saved.Vm vm = saved.vm();
    MachineBuilder built = machine;
    CpuChoice choice = cpus;
    if (vm != null && built != null && choice != null) {
      new MachineFiller(context, saved, vm, built.capabilities(), options, choice).fill();
    }
  }

  /** What a recorder had told of the machine is known of the restored process as well. */
  @Override
  public void restarted(RestartedContext restarted) {
    Saved.Vm vm = saved.vm();
    if (vm == null || vm.image().settings().source() != Finding.Source.RECORDED) {
      return;
    }
    VmImage image = vm.image();
    SetupImage.Machine known =
        new SetupImage.Machine(
            vm.fd().number(),
            image.settings().vmType(),
            List.copyOf(saved.vcpus().keySet()),
            image.settings().calls(),
            image.slots(),
            image.irqFds(),
            image.ioEventFds());
    try {
      SetupFile.write(restarted.pid(), new SetupImage(true, List.of(known)));
    } catch (VmckptException e) {
      // The process runs: that the next snapshot will know less is no reason to fail.
      restarted.note(
          "what vmckpt run had noted of the machine could not be kept for its next snapshot: "
              + e.getMessage());
    }
  }
}
