// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.util.List;
import java.util.Optional;

/**
 * A socket connected to somebody outside the set, by UNIX or TCP. The other end cannot be brought
 * back, so the target finds what any program must be ready for: a peer that hung up, after what it
 * had sent.
 */
final class LostPeer implements KernelObject<DescriptorImage.LostPeer> {
  private static final int LENGTH_AT = 128;

  @Override
  public String name() {
    return "lost connection";
  }

  @Override
  public String carries() {
    return "a client or a server outside: comes back as a peer that hung up; --reattach"
        + " fd:N=ADDRESS calls a server again";
  }

  @Override
  public boolean changed() {
    return true;
  }

  @Override
  public Class<DescriptorImage.LostPeer> imageType() {
    return DescriptorImage.LostPeer.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    SocketFacts facts = census.socket(resource);
    if (facts == null || census.role(resource) != SocketFacts.Role.LOST) {
      return Optional.empty();
    }
    String summary = "connection to " + facts.peerText() + "; comes back as a peer that hung up";
    Refusal refusal = SocketPair.inFlight(resource, resource.info());
    Peer peer = facts.isUnix() ? census.backends().at(facts) : null;
    if (peer != null) {
      String backend = peer.text();
      return Optional.of(
          Claim.refused(
              "connection to " + backend + ", which serves a device of the target",
              backend
                  + " serves a device of the target, and what it knows of it is not in a snapshot"
                  + " of the target",
              "unplug that device for the time of the snapshot (of a QEMU: --unplug DEVICE, by its"
                  + " id), or leave it out, so that it stops answering after a restore: --drop "
                  + resource.name()));
    }
    return Optional.of(
        refusal == null
            ? Claim.changed(summary)
            : Claim.refused(summary, refusal.why(), refusal.remedy()));
  }

  @Override
  public DescriptorImage.LostPeer capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    Refusal refusal = SocketPair.inFlight(resource, now);
    if (refusal != null) {
      throw new RefusedException("snapshot of " + resource.pid(), List.of(refusal));
    }
    try (OwnFd duplicate = context.census().duplicate(resource)) {
      SocketFacts facts = context.census().socketNow(resource, duplicate);
      int shut = facts.unix() == null ? 0 : facts.unix().shutdown();
      return new DescriptorImage.LostPeer(
          facts.domain(),
          facts.type(),
          UnreadMessages.peek(duplicate, facts.type(), (shut & SocketPair.RECEIVE_SHUT) != 0),
          facts.peerText(),
          context.census().socketOptions().changed(duplicate, facts));
    }
  }

  @Override
  public RemoteFd restore(DescriptorImage.LostPeer image, OpenFileImage file, HuskFiles husk) {
    String name = HuskFiles.name(file);
    String instead = husk.reattach(file);
    if (instead != null) {
      return SocketCall.call(instead, image, file, husk);
    }
    RemoteFd[] ends =
        image.domain() == SocketCalls.AF_UNIX
            ? husk.socketPair(image.type())
            : tcpPair(image.domain(), husk);
    try (OwnFd end = husk.pull(ends[0]);
        OwnFd other = husk.pull(ends[1])) {
      SocketOptions.apply(end, image.options(), name, husk);
      UnreadMessages.send(other, image.unread(), name);
    }
    husk.close(ends[1]);
    husk.note(name + ", a connection to " + image.peer() + ", came back as one that was hung up");
    return ends[0];
  }

  /** Two TCP sockets of the husk, connected with each other through the loopback device. */
  private static RemoteFd[] tcpPair(int domain, HuskFiles husk) {
    RemoteProcess process = husk.process();
    String what = "a loopback connection";
    byte[] address = SocketAddress.loopback(domain);
    RemoteFd listener = husk.socket(domain, SocketCalls.SOCK_STREAM, 0);
    process.call("bind", what, Nr.BIND, listener.number(), husk.put(address), address.length);
    process.call("listen", what, Nr.LISTEN, listener.number(), 1);
    RemoteAddress scratch = process.scratch();
    process.write(scratch.plus(LENGTH_AT), SocketCalls.bytesOf(address.length));
    process.call(
        "getsockname",
        what,
        Nr.GETSOCKNAME,
        listener.number(),
        scratch.value(),
        scratch.plus(LENGTH_AT).value());
    RemoteFd mine = husk.socket(domain, SocketCalls.SOCK_STREAM, 0);
    process.call("connect", what, Nr.CONNECT, mine.number(), scratch.value(), address.length);
    long accepted =
        process.call(
            "accept4", what, Nr.ACCEPT4, listener.number(), 0, 0, SocketCalls.SOCK_CLOEXEC);
    husk.close(listener);
    return new RemoteFd[] {mine, husk.park(accepted)};
  }

  /** A socket whose peer hung up, in place of one that the user left out. */
  static RemoteFd hungUp(HuskFiles husk) {
    RemoteFd[] ends = husk.socketPair(SocketCalls.SOCK_STREAM);
    husk.close(ends[1]);
    return ends[0];
  }
}
