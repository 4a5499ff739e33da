// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.marks.Mark;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.qmp.QmpOptions;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.Talk;
import dev.vmckpt.spi.json.RecordJson;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The connection to a monitor that vmckpt had, with the other end in our hands again. */
final class QemuReattachment implements Reattachment {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final ReattachContext context;
  private @Nullable Qmp end;
  private @Nullable Pending<JsonNode> going;
  private MonitorImage image = new MonitorImage(false, "");

  QemuReattachment(ReattachContext context) {
    this.context = context;
  }

  @Override
  public Reattached reattach(Recorded recorded) {
    image =
        RecordJson.fromTree(recorded.state(), MonitorImage.class, "the record of " + recorded.fd());
    Talk talk = Talk.begin(context, recorded.fd() + " monitor");
    GuardedChannel channel = talk.ours();
    if (image.stopped()) {
      Mark mark = new Mark(image.mark());
      channel.setLastWords(mark.lastWords(), mark.name(), false);
    }
    end = Qmp.resume(channel, QmpOptions.DEFAULT.withTimeout(PATIENCE));
    return new Reattached(talk.theirs());
  }

  /** The word to go on waits in the socket for the monitor to run. */
  @Override
  public void complete() {
    Qmp qmp = end;
    if (qmp != null && image.stopped()) {
      going = qmp.submit("cont");
    }
  }

  @Override
  public void restarted(RestartedContext restarted) {
    try (Qmp qmp = end) {
      Pending<JsonNode> word = going;
      if (qmp != null && word != null) {
        word.get(PATIENCE);
        new Mark(image.mark()).tryRemove(qmp);
      }
    } catch (QmpException e) {
      restarted.note(
          "the guest is stopped, as its monitor did not take the word to go on; say cont there: "
              + e.getMessage());
    }
  }
}
