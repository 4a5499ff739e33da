// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator;

import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Carries sockets to an emulator that listens at a path: one that is called, and possibly a second
 * one that is made over it. At a restore whoever listens there is called before anything is built.
 *
 * @param <I> what is recorded of either
 */
public abstract class EmulatorAdapter<I extends Record> implements Adapter {
  /** Who was claimed, by the link of the socket. */
  protected final Map<String, Peer> peers = new HashMap<>();

  /** Who was met before a restore, by the recorded number of the socket that is called. */
  private final Map<Integer, RemoteFd> met = new HashMap<>();

  private final Class<I> type;
  private final String second;

  /**
   * @param type what is recorded of either
   * @param second what the second socket is
   */
  protected EmulatorAdapter(Class<I> type, String second) {
    this.type = type;
    this.second = second;
  }

  /** Whom a descriptor of the target leads to, if that is known. */
  protected static Optional<Peer> peer(DescriptorResource resource, ClaimContext context) {
    return resource.stat().isSocket() ? context.peer(resource) : Optional.empty();
  }

  /** What was recorded. */
  final I image(Recorded recorded) {
    return RecordJson.fromTree(recorded.state(), type, "the record of " + recorded.fd());
  }

  /** What the second socket is. */
  final String second() {
    return second;
  }

  /** The connection to whoever was met. */
  final RemoteFd met(int called) {
    RemoteFd socket = met.get(called);
    if (socket == null) {
      throw new IllegalStateException("nobody was met for fd:" + called);
    }
    return socket;
  }

  /** The recorded number of the socket that is called, in the records of both. */
  protected abstract int called(I image);

  /** Where the emulator listened; empty in the record of the second socket. */
  protected abstract String path(I image);

  /**
   * Calls whoever is there now.
   *
   * @param fd the recorded number
   * @param wish where the user wants it to be, or null
   * @param process who calls, and keeps the connection
   */
  protected abstract Meeting meet(RemoteFd fd, I image, @Nullable String wish, RemoteTask process);

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    List<Refusal> refusals = new ArrayList<>();
    for (Recorded each : recorded) {
      I image = image(each);
      String wish = context.reattach().get(each.fd().toString());
      if (!path(image).isEmpty()) {
        Meeting meeting = meet(each.fd(), image, wish, context.process());
        if (meeting.refusal() != null) {
          refusals.add(meeting.refusal());
        } else {
          met.put(called(image), context.keep(meeting.socket()));
        }
      } else if (wish != null) {
        refusals.add(
            new Refusal(
                each.fd() + " " + second,
                "it is made over the other one",
                "--reattach fd:" + called(image) + "=PATH"));
      }
    }
    return refusals;
  }
}
