// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.json.JsonTree;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What libvirt kept of a domain when it was about to be stopped. */
final class DomainDetachment implements Detachment {
  private final List<DescriptorResource> claimed;
  private final @Nullable DomainVisit visit;
  private final @Nullable DomainImage image;

  /**
   * @param visit null if there is nothing of libvirt's
   */
  DomainDetachment(List<DescriptorResource> claimed, @Nullable DomainVisit visit) {
    this.claimed = claimed;
    this.visit = visit;
    image = visit == null ? null : visit.look();
  }

  @Override
  public void settle(SettleContext context) {
    // Its threads may stand anywhere.
  }

  @Override
  public void begin() {
    // Nothing of it goes on by itself.
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<Recorded> all = new ArrayList<>();
    DomainImage stopped = image;
    if (stopped == null || visit == null) {
      return all;
    }
    PassageChannel.LastWords words = visit.lastWords();
    if (words != null) {
      stopped = stopped.with(words);
    }
    for (DescriptorResource connection : claimed) {
      int flags = context.infoNow(connection).flags();
      JsonTree state = new JsonTree(stopped);
      all.add(
          new Recorded(connection.fd(), flags, "libvirt's connection to the monitor", state, 0));
    }
    return all;
  }

  @Override
  public void resume() {
    // Whoever stopped the guest lets it go on.
  }

  @Override
  public long finish() {
    return 0;
  }
}
