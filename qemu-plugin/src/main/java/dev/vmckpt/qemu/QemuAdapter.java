// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.plug.PlugMark;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.Visit;
import dev.vmckpt.spi.VisitContext;
import dev.vmckpt.spi.error.Refusal;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Brings the guest of a QEMU to rest by its monitor before the process is saved, and lets it go on
 * after it, here and where it is restored. Its disks are written out then, and its clock does not
 * jump.
 *
 * <p>The connection to the monitor is open while the target is saved, and is a part of what is
 * saved: the restored QEMU finds the other end in our hands and takes the command to go on from
 * there, wherever its monitor listens.
 */
public final class QemuAdapter implements Adapter {
  /** By the target. */
  private final Map<Integer, MonitorVisit> visits = new HashMap<>();

  @Override
  public String name() {
    return "qemu";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "monitor of QEMU",
            "the guest is stopped by it before it is saved, and goes on when it is restored",
            false),
        new Carries(
            "device that `--unplug` names",
            "taken off before, plugged in again here and there; `--reattach chardev:ID=PATH`,"
                + " `unplugged:ID=none`",
            true));
  }

  @Override
  public boolean last() {
    return true;
  }

  @Override
  public Optional<Visit> visit(VisitContext context) {
    int pid = context.pid();
    Optional<MonitorVisit> visit = MonitorVisit.make(context, () -> visits.remove(pid));
    visit.ifPresent(made -> visits.put(pid, made));
    return visit.map(made -> made);
  }

  @Override
  public boolean takesAway(Map<String, String> options) {
    return options.containsKey(MonitorVisit.UNPLUG);
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    MonitorVisit visit = visits.get(resource.pid());
    return visit != null && visit.isOurs(resource)
        ? Optional.of(Claim.carried("the monitor's end of vmckpt's own connection"))
        : Optional.empty();
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    return QemuDetachment.begin(claimed, visits.get(context.pid()), context);
  }

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    PlugMark unplugged = null;
    for (Recorded each : recorded) {
      unplugged = QemuReattachment.read(each).unplugged();
    }
    PlugWishes.check(unplugged, context.reattach());
    return List.of();
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new QemuReattachment(context);
  }
}
