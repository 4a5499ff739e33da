// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
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
   * @throws RefusedException if the user left out what the restored guest is let go on by
   */
  DomainDetachment(List<DescriptorResource> claimed, @Nullable DomainVisit visit) {
    this.claimed = claimed;
    this.visit = visit;
    image = visit == null ? null : visit.look();
    if (visit != null && claimed.isEmpty() && !visit.passages().isEmpty()) {
      throw new RefusedException(
          "snapshot of a domain",
          List.of(
              new Refusal(
                  "libvirt's connection to the monitor",
                  "the restored guest is let go on by it, and it was left out",
                  "do without its --drop, or name the process by its pid")));
    }
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
}
