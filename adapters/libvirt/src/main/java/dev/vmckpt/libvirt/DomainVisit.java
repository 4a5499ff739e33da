// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.MonitorPassage;
import dev.vmckpt.spi.Visit;
import dev.vmckpt.spi.VisitContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.proc.UnixSockets;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.libvirt.Domain;
import org.libvirt.LibvirtException;

/** A connection to libvirt for one snapshot of a domain. */
final class DomainVisit implements Visit, MonitorPassage {
  /** The word of the user's wish: what the domain is called. */
  static final String OPTION = "libvirt";

  private final VisitContext context;
  private final Libvirt libvirt;
  private final Domain domain;
  private final String name;
  private final String uuid;
  private final Set<String> links;
  private final Optional<LastWork> lastWork;
  private final Runnable closed;
  private @Nullable PassageChannel channel;

  private DomainVisit(
      VisitContext context,
      Libvirt libvirt,
      Domain domain,
      StateFile state,
      Optional<LastWork> lastWork,
      Runnable closed)
      throws LibvirtException {
    this.context = context;
    this.libvirt = libvirt;
    this.domain = domain;
    this.lastWork = lastWork;
    this.closed = closed;
    name = domain.getName();
    uuid = state.uuid();
    links = UnixSockets.connectedAt(state.pid(), state.monitor().toString());
  }

  /**
   * Meets libvirt.
   *
   * @param closed is told when it is left
   * @return empty unless the user named a domain
   * @throws TargetGoneException if it does not run as this process any more
   */
  static Optional<DomainVisit> make(VisitContext context, Runnable closed) {
    String word = context.options().get(OPTION);
    if (word == null) {
      return Optional.empty();
    }
    DomainName wanted = DomainName.parse(word);
    Libvirt libvirt = Libvirt.connect(wanted.uri());
    boolean done = false;
    try {
      StateFile state = Domains.running(libvirt, wanted.name());
      if (state.pid() != context.pid()) {
        throw new TargetGoneException(
            "domain " + wanted.name() + " is not process " + context.pid() + " any more");
      }
      Optional<LastWork> lastWork = LastWork.find(libvirt.uri(), state.uuid(), System.getenv());
      if (lastWork.isEmpty()) {
        context.note(
            "the guest was not stopped by libvirt before it was saved, so its clock will have jumped"
                + " when it is restored: virsh is not installed, which would let it go on if vmckpt"
                + " were killed; apt-get install libvirt-clients");
      }
      DomainVisit visit =
          new DomainVisit(context, libvirt, libvirt.domain(state.uuid()), state, lastWork, closed);
      done = true;
      return Optional.of(visit);
    } catch (LibvirtException e) {
      throw new FailureException(
          "libvirt does not tell what domain " + wanted.name() + " is: " + Libvirt.words(e), e);
    } finally {
      if (!done) {
        libvirt.close();
      }
    }
  }

  /** Whether a resource is the target's end of libvirt's connection to the monitor. */
  boolean isConnection(DescriptorResource resource) {
    return links.size() == 1 && links.contains(resource.link());
  }

  /** What libvirt keeps of the domain now. */
  DomainImage look() {
    StateFile state = StateFile.find(libvirt.uri(), name, uuid);
    try {
      return new DomainImage(
          name,
          uuid,
          libvirt.uri(),
          state.pid(),
          state.path().toString(),
          state.text(),
          KeptFile.of(state.folders()),
          "",
          "");
    } catch (IOException e) {
      throw new FailureException(
          "what libvirt keeps of domain " + name + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** What would be said to the monitor if we died now; null for nothing. */
  PassageChannel.@Nullable LastWords lastWords() {
    PassageChannel open = channel;
    return open == null ? null : open.lastWords();
  }

  @Override
  public List<DiskKeeper> keepers() {
    return List.of();
  }

  /** It is QEMU's adapter that stops the guest, by our passage. */
  @Override
  public boolean canRest() {
    return false;
  }

  /** None without somebody who lets the guest go on, here and when it is restored. */
  @Override
  public List<MonitorPassage> passages() {
    return lastWork.isPresent() && links.size() == 1 ? List.of(this) : List.of();
  }

  @Override
  public String holder() {
    return "libvirt";
  }

  @Override
  public GuardedChannel open() {
    PassageChannel opened =
        PassageChannel.open(libvirt, domain, context.guard(), lastWork.orElseThrow());
    channel = opened;
    return opened;
  }

  @Override
  public void close() {
    closed.run();
    libvirt.close();
  }
}
