// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.EmulatorReattachment;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Optional;

/**
 * Says to a backend what QEMU had said to the saved one when it met it. What QEMU says when its
 * guest goes on is left to it.
 */
final class VhostReattachment extends EmulatorReattachment<VhostImage> {
  VhostReattachment(VhostAdapter adapter, List<Recorded> recorded, ReattachContext context) {
    super(adapter, recorded, context);
  }

  private VhostUser user(int connection, RemoteFd socket) {
    String name = "the backend of fd:" + connection;
    return new VhostUser(new Conversation(context.husk(), socket, name), name);
  }

  @Override
  protected Optional<RemoteFd> furnish(VhostImage image, RemoteFd socket) {
    VhostUser user = user(image.connection(), socket);
    Optional<RemoteFd> back = Optional.empty();
    if (image.backChannel()) {
      back = second("a back channel", end -> user.setBackChannel(end, image.acknowledges()));
    }
    user.setOwner();
    if ((image.features() & VhostMeeting.CACHE_CHANGES) != 0
        && image.config().length > VhostMeeting.CACHE_AT) {
      user.setConfig(
          VhostMeeting.CACHE_AT, image.config()[VhostMeeting.CACHE_AT], image.acknowledges());
    }
    return back;
  }

  /** The guest's memory is there by now, and its descriptors stand at their numbers. */
  @Override
  public void complete() {
    for (Recorded each : recorded) {
      VhostImage image = image(each);
      for (VhostImage.Region region : image.memory()) {
        user(image.connection(), each.fd()).addMemory(region, image.acknowledges());
      }
    }
  }
}
