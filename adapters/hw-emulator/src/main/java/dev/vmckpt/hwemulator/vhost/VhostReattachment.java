// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Says to a backend what QEMU had said to the saved one when it met it. What QEMU says when its
 * guest goes on is left to it.
 */
final class VhostReattachment implements Reattachment {
  private final List<Recorded> recorded;
  private final Map<Integer, RemoteFd> met;
  private final ReattachContext context;

  /** QEMU's ends of back channels, by the numbers of their connections. */
  private final Map<Integer, RemoteFd> backs = new HashMap<>();

  /** The connections that were opened. */
  private final Map<Integer, RemoteFd> opened = new HashMap<>();

  /**
   * @param met the connections that were made before the husk was, by their recorded numbers
   */
  VhostReattachment(List<Recorded> recorded, Map<Integer, RemoteFd> met, ReattachContext context) {
    this.recorded = recorded;
    this.met = met;
    this.context = context;
  }

  @Override
  public Reattached reattach(Recorded each) {
    VhostImage image = VhostAdapter.read(each);
    int connection = image.connection();
    RemoteFd socket = met.get(connection);
    if (socket == null) {
      throw new IllegalStateException("no backend was met for fd:" + connection);
    }
    if (!opened.containsKey(connection)) {
      open(connection(connection), socket);
      opened.put(connection, socket);
    }
    RemoteFd made = image.path().isEmpty() ? backs.get(connection) : socket;
    if (made == null) {
      throw corrupt("fd:" + connection + " has no back channel");
    }
    Conversation.setFlags(context.husk(), made, each.statusFlags());
    return new Reattached(made);
  }

  private VhostImage connection(int number) {
    for (Recorded each : recorded) {
      if (each.fd().number() == number) {
        return VhostAdapter.read(each);
      }
    }
    throw corrupt("the snapshot holds no connection fd:" + number);
  }

  private static SnapshotException corrupt(String why) {
    return new SnapshotException(SnapshotException.Fault.CORRUPT, why);
  }

  private VhostUser user(int connection, RemoteFd socket) {
    String name = "the backend of fd:" + connection;
    return new VhostUser(new Conversation(context.husk(), socket, name), name);
  }

  private void open(VhostImage image, RemoteFd socket) {
    RemoteTask husk = context.husk();
    VhostUser user = user(image.connection(), socket);
    if (image.backChannel()) {
      RemoteFd[] ends = Conversation.pair(husk, "a back channel");
      user.setBackChannel(ends[1], image.acknowledges());
      husk.call("close", "a back channel", Nr.CLOSE, ends[1].number());
      backs.put(image.connection(), context.park(ends[0]));
    }
    user.setOwner();
    if ((image.features() & VhostMeeting.CACHE_CHANGES) != 0
        && image.config().length > VhostMeeting.CACHE_AT) {
      user.setConfig(
          VhostMeeting.CACHE_AT, image.config()[VhostMeeting.CACHE_AT], image.acknowledges());
    }
  }

  /** The guest's memory is there by now, and its descriptors stand at their numbers. */
  @Override
  public void complete() {
    for (Recorded each : recorded) {
      VhostImage image = VhostAdapter.read(each);
      for (VhostImage.Region region : image.memory()) {
        user(image.connection(), each.fd()).addMemory(region, image.acknowledges());
      }
    }
  }

  @Override
  public void restarted(RestartedContext restarted) {
    // QEMU gives it its work when the guest goes on.
  }
}
