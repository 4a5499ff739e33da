// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.marks.Mark;
import dev.vmckpt.qemu.plug.PlugMark;
import dev.vmckpt.qemu.plug.Unplugged;
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
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.json.RecordJson;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The connection to a monitor that vmckpt had, with the other end in our hands again. */
final class QemuReattachment implements Reattachment {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final ReattachContext context;
  private @Nullable Qmp end;
  private @Nullable Pending<JsonNode> going;
  private @Nullable PlugMark plugging;
  private MonitorImage image = new MonitorImage(false, "", null);

  QemuReattachment(ReattachContext context) {
    this.context = context;
  }

  /** What was recorded of the connection. */
  static MonitorImage read(Recorded recorded) {
    return RecordJson.fromTree(
        recorded.state(), MonitorImage.class, "the record of " + recorded.fd());
  }

  @Override
  public Reattached reattach(Recorded recorded) {
    image = read(recorded);
    Talk talk = Talk.begin(context, recorded.fd() + " monitor");
    GuardedChannel channel = talk.ours();
    PlugMark unplugged = image.unplugged();
    if (unplugged != null) {
      unplugged = PlugWishes.fulfilled(unplugged, context.reattach());
      plugging = unplugged;
    }
    Mark mark = new Mark(image.mark());
    String words = image.stopped() ? mark.lastWords() : "";
    if (unplugged != null) {
      channel.setLastWords(
          words + " " + unplugged.lastWords(), unplugged.name(), Monitor.FOR_GUESTS);
    } else if (image.stopped()) {
      channel.setLastWords(words, mark.name(), List.of());
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
      if (qmp == null) {
        return;
      }
      Pending<JsonNode> word = going;
      if (word != null) {
        word.get(PATIENCE);
        new Mark(image.mark()).tryRemove(qmp);
      }
      plug(qmp, restarted);
      if (word != null) {
        announce(qmp, restarted);
      }
    } catch (QmpException e) {
      restarted.note(
          "the guest is stopped, as its monitor did not take the word to go on; say cont there: "
              + e.getMessage());
    }
  }

  private void plug(Qmp qmp, RestartedContext restarted) {
    PlugMark was = image.unplugged();
    PlugMark devices = plugging;
    if (was == null || devices == null) {
      return;
    }
    try {
      Unplugged.plug(restarted.pid(), qmp, was, devices);
    } catch (FailureException | QmpException e) {
      restarted.note(String.valueOf(e.getMessage()));
    }
  }

  private static void announce(Qmp qmp, RestartedContext restarted) {
    try {
      Announcement.make(qmp);
    } catch (QmpException e) {
      restarted.note(
          "networks were not told where the guest is, and learn it from its next packets: "
              + e.getMessage());
    }
  }
}
