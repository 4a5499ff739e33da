// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

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
 * Carries what libvirt holds of a domain, of a target that was named by it: the connection to the
 * monitor, and what the daemon keeps on its disk while the domain runs and removes when it ends.
 */
public final class LibvirtAdapter implements Adapter {
  /** By the target. */
  private final Map<Integer, DomainVisit> visits = new HashMap<>();

  @Override
  public String name() {
    return "libvirt";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "libvirt's connection to a monitor",
            "free for the daemon to call again; --reattach libvirt=adopt gives it the domain back",
            true));
  }

  @Override
  public Optional<Visit> visit(VisitContext context) {
    int pid = context.pid();
    Optional<DomainVisit> visit = DomainVisit.make(context, () -> visits.remove(pid));
    visit.ifPresent(made -> visits.put(pid, made));
    return visit.map(made -> made);
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    DomainVisit visit = visits.get(resource.pid());
    return visit != null && visit.isConnection(resource)
        ? Optional.of(
            Claim.changed("libvirt's connection to the monitor; comes back as one that hung up"))
        : Optional.empty();
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    return new DomainDetachment(claimed, visits.get(context.pid()));
  }

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    return Adoption.preflight(recorded, context);
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new DomainReattachment(recorded, context);
  }
}
