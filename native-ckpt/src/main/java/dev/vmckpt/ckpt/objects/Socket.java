// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A socket with no connection: listening, bound, or not yet used; UNIX, TCP, UDP and ping. It comes
 * back at its address, or at the one the user gives. Where to bind it is {@link SocketPlace}'s
 * business.
 */
final class Socket implements KernelObject<DescriptorImage.Socket> {
  @Override
  public String name() {
    return "socket";
  }

  @Override
  public String carries() {
    return "UNIX, TCP and UDP sockets that listen, are bound, or are not yet used; --reattach fd:N=PORT or PATH";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.Socket> imageType() {
    return DescriptorImage.Socket.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    SocketFacts facts = census.socket(resource);
    if (facts == null || census.role(resource) != SocketFacts.Role.PEERLESS) {
      return Optional.empty();
    }
    StringBuilder summary = new StringBuilder();
    summary.append(facts.isUnix() ? "UNIX" : facts.isTcp() ? "TCP" : "datagram");
    summary.append(facts.listening() ? " socket listening at " : " socket ");
    summary.append(SocketAddress.text(facts.local()));
    if (facts.pending() > 0) {
      summary
          .append("; ")
          .append(facts.pending())
          .append(" connections nobody has accepted yet will be lost");
    }
    return Optional.of(Claim.carried(summary.toString().strip()));
  }

  @Override
  public DescriptorImage.Socket capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    Census census = context.census();
    try (OwnFd duplicate = census.duplicate(resource)) {
      SocketFacts facts = census.socketNow(resource, duplicate);
      if (facts.pending() > 0) {
        context.note(
            resource.name()
                + ": "
                + facts.pending()
                + " connections that nobody had accepted yet are not in the snapshot");
      } else if (!facts.listening() && FileCalls.tryUnread(duplicate.number()) > 0) {
        context.note(resource.name() + ": datagrams nobody had read are not in the snapshot");
      }
      UnixFile file = census.unixFile(resource);
      return new DescriptorImage.Socket(
          facts.domain(),
          facts.type(),
          facts.protocol(),
          facts.listening(),
          facts.backlog(),
          address(facts, file),
          facts.isDatagram() ? facts.peer() : null,
          file == null ? null : file.access(),
          census.socketOptions().changed(duplicate, facts));
    }
  }

  @Override
  public RemoteFd restore(DescriptorImage.Socket image, OpenFileImage file, HuskFiles husk) {
    String name = HuskFiles.name(file);
    RemoteFd fd = husk.socket(image.domain(), image.type(), image.protocol());
    try (OwnFd own = husk.pull(fd)) {
      SocketOptions.apply(own, image.options(), name, husk);
      byte[] address = image.address();
      if (address != null) {
        SocketPlace.bind(fd, own, address, image, file, husk);
      }
    }
    byte[] peer = image.peer();
    if (peer != null) {
      long result = husk.process().tryCall(Nr.CONNECT, fd.number(), husk.put(peer), peer.length);
      if (result < 0) {
        husk.note(name + ": the socket does not send to " + SocketAddress.text(peer) + " any more");
      }
    }
    if (image.listening()) {
      long result = husk.process().tryCall(Nr.LISTEN, fd.number(), image.backlog());
      if (result == -SocketPlace.EADDRINUSE) {
        throw SocketPlace.taken(image, file);
      }
      Sys.check("listen", name, result);
    }
    return fd;
  }

  /** Where it is bound, a relative path made absolute; null for nowhere. */
  private static byte @Nullable [] address(SocketFacts facts, @Nullable UnixFile file) {
    if (SocketAddress.isUnbound(facts.local())) {
      return null;
    }
    byte[] absolute = file == null ? null : SocketAddress.ofUnix(file.path());
    return absolute == null || SocketAddress.unixPath(facts.local()).startsWith("/")
        ? facts.local()
        : absolute;
  }

  static boolean isStream(DescriptorImage.Socket image) {
    return image.type() == SocketCalls.SOCK_STREAM;
  }
}
