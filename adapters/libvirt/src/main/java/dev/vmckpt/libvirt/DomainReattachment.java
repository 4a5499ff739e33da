// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.Talk;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A domain without its libvirt: the monitor finds us at the other end of libvirt's connection, is
 * told to let the guest go on, and then hears that end hang up, so that libvirt can call again.
 */
final class DomainReattachment implements Reattachment {
  private static final long PATIENCE_MILLIS = 10_000;

  private final ReattachContext context;
  private final boolean adopt;
  private @Nullable DomainImage image;
  private @Nullable GuardedChannel channel;

  DomainReattachment(List<Recorded> recorded, ReattachContext context) {
    this.context = context;
    adopt = Adoption.isWished(context.reattach());
    if (!recorded.isEmpty()) {
      DomainImage found = DomainImage.of(recorded.get(0));
      // QEMU listens in folders that libvirt removed when the domain ended.
      found.files().forEach(KeptFile::putBack);
      image = found;
    }
  }

  @Override
  public Reattached reattach(Recorded recorded) {
    Talk talk = Talk.begin(context, recorded.fd() + " monitor");
    DomainImage found = DomainImage.of(recorded);
    if (!found.lastWords().isEmpty()) {
      talk.ours().setLastWords(found.lastWords(), found.until(), List.of());
    }
    channel = talk.ours();
    return new Reattached(talk.theirs());
  }

  /** The word to go on waits in the socket for the monitor to run. */
  @Override
  public void complete() {
    GuardedChannel to = channel;
    if (image != null && to != null && !image.lastWords().isEmpty()) {
      try {
        to.write(StandardCharsets.UTF_8.encode(image.lastWords() + "\n"));
      } catch (IOException e) {
        throw new FailureException("the monitor cannot be told to go on: " + e.getMessage(), e);
      }
    }
  }

  @Override
  public void restarted(RestartedContext restarted) {
    DomainImage found = image;
    GuardedChannel from = channel;
    if (found == null || from == null) {
      return;
    }
    try (from) {
      if (!found.lastWords().isEmpty() && !hears(from, found.until())) {
        restarted.note(
            "the guest is stopped, as its monitor did not take the word to go on; say cont there");
      }
    }
    new Adoption(found, restarted).run(adopt);
  }

  /** Whether an answer comes in time. */
  private static boolean hears(GuardedChannel from, String until) {
    StringBuilder heard = new StringBuilder();
    Thread reader =
        new Thread(
            () -> {
              ByteBuffer some = ByteBuffer.allocate(4096);
              try {
                while (heard.indexOf(until) < 0 && from.read(some) > 0) {
                  heard.append(StandardCharsets.UTF_8.decode(some.flip()));
                  some.clear();
                }
              } catch (IOException e) {
                // Whoever waits sees that nothing was heard.
              }
            },
            "monitor");
    reader.setDaemon(true);
    reader.start();
    try {
      reader.join(PATIENCE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return !reader.isAlive() && heard.indexOf(until) >= 0;
  }
}
