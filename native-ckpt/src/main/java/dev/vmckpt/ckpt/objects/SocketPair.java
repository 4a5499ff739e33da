// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One of two connected UNIX sockets that the set holds both of. They come back as socketpair(2)
 * makes them; a name that one had from a listening socket is not theirs any more.
 */
final class SocketPair implements KernelObject<DescriptorImage.SocketPair> {
  static final int RECEIVE_SHUT = 1;
  static final int SEND_SHUT = 2;

  @Override
  public String name() {
    return "socket pair";
  }

  @Override
  public String carries() {
    return "two connected UNIX sockets of the target, with what is unread";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.SocketPair> imageType() {
    return DescriptorImage.SocketPair.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    SocketFacts facts = census.socket(resource);
    SocketFacts.Role role = census.role(resource);
    if (facts == null || !facts.isUnix()) {
      return Optional.empty();
    }
    if (role == SocketFacts.Role.LOPSIDED) {
      return Optional.of(
          Claim.refused(
              "UNIX socket that sends to another of the target, which does not send back",
              "connections of one direction within the target are not carried",
              "leave it out: --drop " + resource.name()));
    }
    if (role == SocketFacts.Role.UNKNOWN) {
      return Optional.of(
          Claim.refused(
              "UNIX socket",
              "the kernel does not tell with whom it is connected",
              "load the module unix_diag, run as root, or --drop " + resource.name()));
    }
    if (role != SocketFacts.Role.PAIR) {
      return Optional.empty();
    }
    String summary = "UNIX socket connected within the target";
    Refusal refusal = inFlight(resource, resource.info());
    return Optional.of(
        refusal == null
            ? Claim.carried(summary)
            : Claim.refused(summary, refusal.why(), refusal.remedy()));
  }

  @Override
  public DescriptorImage.SocketPair capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    Refusal refusal = inFlight(resource, now);
    if (refusal != null) {
      throw new RefusedException("snapshot of " + resource.pid(), List.of(refusal));
    }
    try (OwnFd duplicate = context.census().duplicate(resource)) {
      SocketFacts facts = context.census().socketNow(resource, duplicate);
      int shut = facts.unix() == null ? 0 : facts.unix().shutdown();
      return new DescriptorImage.SocketPair(
          Census.pairNumber(resource.stat().inode(), facts),
          facts.type(),
          UnreadMessages.peek(duplicate, facts.type(), (shut & RECEIVE_SHUT) != 0),
          context.census().socketOptions().changed(duplicate, facts),
          (shut & RECEIVE_SHUT) != 0,
          (shut & SEND_SHUT) != 0);
    }
  }

  @Override
  public RemoteFd restore(DescriptorImage.SocketPair image, OpenFileImage file, HuskFiles husk) {
    String key = "pair " + image.pair();
    String taken = key + " taken";
    RemoteFd[] ends = husk.shared(key);
    if (ends == null) {
      ends = husk.socketPair(image.type());
      husk.share(key, ends[0], ends[1]);
    }
    int mine = husk.shared(taken) == null ? 0 : 1;
    husk.share(taken);
    String name = HuskFiles.name(file);
    try (OwnFd end = husk.pull(ends[mine]);
        OwnFd other = husk.pull(ends[1 - mine])) {
      SocketOptions.apply(end, image.options(), name, husk);
      UnreadMessages.send(other, image.unread(), name);
    }
    if (image.readShut() || image.writeShut()) {
      // Not before the other end has got what is unread there.
      husk.atTheEnd(new Shut(name, ends[mine], image.readShut(), image.writeShut()));
    }
    return husk.duplicate(ends[mine]);
  }

  private record Shut(String name, RemoteFd fd, boolean read, boolean write)
      implements HuskFiles.Later {
    @Override
    public void run(HuskFiles husk) {
      int how = read && write ? 2 : write ? 1 : 0;
      husk.process().call("shutdown", name, Nr.SHUTDOWN, fd.number(), how);
    }
  }

  /** That descriptors were sent to it and not received yet, or null. */
  static @Nullable Refusal inFlight(DescriptorResource resource, FdInfo info) {
    String descriptors = info.value("scm_fds");
    return descriptors == null || descriptors.equals("0")
        ? null
        : new Refusal(
            resource.name(),
            descriptors + " descriptors were sent to it and are not received yet",
            "try again when the target has received them");
  }
}
