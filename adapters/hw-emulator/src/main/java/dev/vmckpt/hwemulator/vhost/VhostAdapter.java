// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.EmulatorAdapter;
import dev.vmckpt.hwemulator.Meeting;
import dev.vmckpt.hwemulator.Repose;
import dev.vmckpt.hwemulator.vhost.QemuDevices.Served;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Carries the connection of QEMU to the backend of a vhost-user disk, while the guest is stopped by
 * its monitor. The disk itself is the backend's.
 */
public final class VhostAdapter extends EmulatorAdapter<VhostImage> {
  private static final String DISK = "vhost-user-blk";

  /** Of all that such backends serve. */
  public VhostAdapter() {
    super(VhostImage.class, "back channel of a backend");
  }

  @Override
  public String name() {
    return "vhost-user";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "disk that a vhost-user backend serves",
            "the backend that listens there serves it, on its own disk; `--reattach fd:N=PATH`;"
                + " only with a monitor",
            true));
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    Peer backend = peer(resource, context).orElse(null);
    if (backend == null) {
      return Optional.empty();
    }
    List<Peer> all = new ArrayList<>();
    for (DescriptorResource each : context.descriptors()) {
      peer(each, context).ifPresent(all::add);
    }
    List<Peer> its = all.stream().filter(each -> each.pid() == backend.pid()).toList();
    List<Peer> connections = its.stream().filter(each -> !each.path().isEmpty()).toList();
    String device =
        connections.isEmpty()
            ? ""
            : device(connections.get(0), QemuDevices.of(resource.pid()), all);
    if (device.isEmpty()) {
      return Optional.empty();
    }
    peers.put(resource.link(), backend);
    return Optional.of(
        device.startsWith(DISK)
            ? disk(resource, backend, connections.size(), its.size(), context)
            : refused(
                resource,
                backend,
                device,
                device.startsWith("vhost-user-fs")
                    ? "the files that the guest has open there are known to it alone"
                    : "what it knows of it is not in a snapshot of the target",
                ""));
  }

  private static Claim disk(
      DescriptorResource resource,
      Peer backend,
      int connections,
      int sockets,
      ClaimContext context) {
    if (connections != 1 || sockets > 2) {
      return refused(
          resource,
          backend,
          DISK,
          "which of its connections belong together cannot be told",
          "let each disk be served by a process of its own, ");
    }
    if (!context.guestCanRest()) {
      return refused(
          resource,
          backend,
          DISK,
          "it is at work in the guest's memory as long as the guest is not stopped by its monitor",
          "give QEMU a monitor that is free (-qmp unix:PATH,server=on,wait=off), ");
    }
    if (!Repose.isVisible(backend.pid())) {
      return refused(
          resource, backend, DISK, "whether it is at work cannot be seen", "run as root, ");
    }
    return Claim.changed(
        (backend.path().isEmpty() ? "back channel of " : "disk that is served by ")
            + backend.text()
            + "; the backend that listens there serves it again; only if the monitor is free");
  }

  private static Claim refused(
      DescriptorResource resource, Peer backend, String device, String why, String first) {
    return Claim.refused(
        "connection to " + backend.text() + ", which serves " + device,
        backend.text() + " serves a device of the target (" + device + "), and " + why,
        first
            + "unplug that device for the time of the snapshot (--unplug DEVICE, by its id), or leave"
            + " it out, so that it stops answering after a restore: --drop "
            + resource.name());
  }

  /**
   * What a backend serves; empty if that is not known. A connection that a restore had made
   * elsewhere is that of a device whose own place nobody is at.
   *
   * @param all whom the target is connected with
   */
  private static String device(Peer connection, List<Served> devices, List<Peer> all) {
    Set<String> left = new HashSet<>();
    for (Served device : devices) {
      if (device.isAt(connection.path())) {
        return device.type();
      }
      if (all.stream().noneMatch(each -> device.isAt(each.path()))) {
        left.add(device.type());
      }
    }
    return connection.shares() && left.size() == 1 ? left.iterator().next() : "";
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    return VhostDetachment.begin(claimed, peers, context);
  }

  /** A question to ourselves, whose answer is there already. */
  @Override
  public void rehearse(ExamineContext understudy) {
    byte[] answer = new byte[20];
    answer[0] = 1;
    answer[8] = 8;
    Conversation.rehearse(
        understudy.lodger(),
        DISK,
        (ours, other) -> {
          other.tell(answer, List.of());
          new VhostUser(ours, DISK).tryFeatures();
        });
  }

  @Override
  protected int called(VhostImage image) {
    return image.connection();
  }

  @Override
  protected String path(VhostImage image) {
    return image.path();
  }

  @Override
  protected Meeting meet(RemoteFd fd, VhostImage image, @Nullable String wish, RemoteTask process) {
    return VhostMeeting.at(fd, image, wish, process);
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new VhostReattachment(this, recorded, context);
  }
}
