// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.Repose;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Backends of disks, which somebody else brings to rest: QEMU takes their rings away when the guest
 * is stopped.
 */
final class VhostDetachment implements Detachment {
  /** What QEMU reads of the configuration of a disk: up to what tells of writing zeros. */
  static final int CONFIG_BYTES = 57;

  private static final int PATIENCE_MILLIS = 1000;
  private static final long MILLI = 1_000_000;

  /**
   * A backend: its sockets, who it is, and what it has of the guest's memory.
   *
   * @param unknown why its memory is not known, or null
   */
  private record Backend(
      DescriptorResource connection,
      @Nullable DescriptorResource back,
      Peer peer,
      @Nullable MemoryTable memory,
      @Nullable FailureException unknown) {}

  private final List<Backend> backends;
  private boolean rests;

  private VhostDetachment(List<Backend> backends) {
    this.backends = backends;
  }

  /**
   * @param peers who is at the other end, by the link of the socket
   */
  static VhostDetachment begin(
      List<DescriptorResource> claimed, Map<String, Peer> peers, DetachContext context) {
    List<Backend> backends = new ArrayList<>();
    for (DescriptorResource connection : claimed) {
      Peer peer = peer(connection, peers);
      DescriptorResource back = null;
      boolean isBack = peer.path().isEmpty();
      boolean whole = !isBack;
      for (DescriptorResource each : claimed) {
        if (peer(each, peers).pid() == peer.pid() && !each.fd().equals(connection.fd())) {
          back = each;
          whole = true;
        }
      }
      if (!whole) {
        throw new RefusedException(
            "snapshot of process " + connection.pid(),
            List.of(
                new Refusal(
                    connection.name() + " " + connection.link(),
                    "the connection to "
                        + peer.text()
                        + " is left out, and its back channel is not",
                    "leave both out: --drop " + connection.name())));
      }
      if (!isBack) {
        backends.add(backend(connection, back, peer, context));
      }
    }
    return new VhostDetachment(backends);
  }

  private static Peer peer(DescriptorResource socket, Map<String, Peer> peers) {
    return Objects.requireNonNull(peers.get(socket.link()));
  }

  private static Backend backend(
      DescriptorResource connection,
      @Nullable DescriptorResource back,
      Peer peer,
      DetachContext context) {
    context.announce(
        "the disk that "
            + peer.text()
            + " serves is not in the snapshot, and a guest that goes on changes it: stop it first"
            + " by its monitor (stop), copy the disk, and let it go on then (cont)");
    RemoteTask lodger = context.lodger();
    // Loads what is used in the pause.
    Repose.rests(peer.pid());
    RecordJson.toTree(VhostImage.back(0));
    try {
      MemoryTable memory =
          MemoryTable.isGiven(context.pid(), peer.pid())
              ? MemoryTable.find(lodger, context.pid())
              : null;
      return new Backend(connection, back, peer, memory, null);
    } catch (FailureException e) {
      return new Backend(connection, back, peer, null, e);
    }
  }

  @Override
  public void settle(SettleContext context) {
    // QEMU has nothing to say to them while its guest rests.
    rests = context.guestRests();
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<Recorded> all = new ArrayList<>();
    for (int i = 0; i < backends.size(); i++) {
      Backend backend = backends.get(i);
      awaitRest(backend, context.lodger());
      int connection = backend.connection().fd().number();
      String name = backend.peer().text();
      all.add(
          recorded(
              context,
              backend.connection(),
              name + " at " + backend.peer().path(),
              ask(backend, context)));
      if (backend.back() != null) {
        all.add(
            recorded(
                context, backend.back(), "back channel of " + name, VhostImage.back(connection)));
      }
    }
    return all;
  }

  /**
   * A backend that was still writing for the guest when its ring was taken finishes that; it does
   * so in the guest's memory, which is copied after this.
   */
  private void awaitRest(Backend backend, RemoteTask lodger) {
    for (int i = 0; i < PATIENCE_MILLIS; i++) {
      if (rests
          && Repose.rests(backend.peer().pid())
          && Conversation.isQuiet(lodger, backend.connection().fd())
          && (backend.back() == null || Conversation.isQuiet(lodger, backend.back().fd()))) {
        return;
      }
      LockSupport.parkNanos(MILLI);
    }
    throw new FailureException(
        backend.peer().text() + " is still at work although the guest is stopped: try again");
  }

  private static VhostImage ask(Backend backend, RecordContext context) {
    RemoteTask lodger = context.lodger();
    String name = backend.peer().text();
    VhostUser user = new VhostUser(new Conversation(lodger, backend.connection().fd(), name), name);
    long features = user.tryFeatures();
    if ((features & VhostUser.HAS_PROTOCOL) == 0) {
      throw refused(backend, "it is of a kind that does not tell what it can do");
    }
    long protocol = user.protocolFeatures();
    if ((protocol & ~VhostUser.KNOWN) != 0) {
      throw refused(
          backend, "what QEMU has agreed with it is not known: 0x" + Long.toHexString(protocol));
    }
    return new VhostImage(
        backend.connection().fd().number(),
        backend.peer().path(),
        features,
        protocol,
        (protocol & VhostUser.QUEUES) == 0 ? 0 : user.queues(),
        (protocol & VhostUser.CONFIG) == 0 ? new byte[0] : user.config(CONFIG_BYTES),
        backend.back() != null,
        memory(backend, protocol, lodger));
  }

  private static List<VhostImage.Region> memory(Backend backend, long protocol, RemoteTask lodger) {
    if ((protocol & VhostUser.MEMORY_SLOTS) == 0) {
      return List.of();
    }
    if (backend.unknown() != null) {
      throw backend.unknown();
    }
    MemoryTable memory = backend.memory();
    if (memory == null) {
      return List.of();
    }
    if (!memory.isSame(lodger)) {
      throw new FailureException("the guest's memory was laid out anew meanwhile: try again");
    }
    return memory.regions();
  }

  private static RefusedException refused(Backend backend, String why) {
    return new RefusedException(
        "snapshot of process " + backend.connection().pid(),
        List.of(
            new Refusal(
                backend.connection().name() + " " + backend.connection().link(),
                backend.peer().text() + " serves a device of the target, and " + why,
                "unplug that device for the time of the snapshot: --unplug DEVICE, by its id")));
  }

  private static Recorded recorded(
      RecordContext context, DescriptorResource socket, String summary, VhostImage state) {
    int flags = context.infoNow(socket).flags();
    return new Recorded(socket.fd(), flags, summary, RecordJson.toTree(state), 0);
  }

  @Override
  public void resume() {
    // Whoever lets the guest go on gives them their work again.
  }
}
