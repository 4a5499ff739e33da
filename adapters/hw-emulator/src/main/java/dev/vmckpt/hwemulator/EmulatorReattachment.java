// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator;

import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Gives the target its sockets to emulators, which were met before the husk was made. Each is told
 * what the saved one knew when the first of its sockets is asked for.
 *
 * @param <I> what is recorded of either socket
 */
public abstract class EmulatorReattachment<I extends Record> implements Reattachment {
  /** Everything that was recorded. */
  protected final List<Recorded> recorded;

  /** What may be used in the husk. */
  protected final ReattachContext context;

  private final EmulatorAdapter<I> adapter;

  /** The target's ends of second sockets, by the recorded numbers of the ones that were called. */
  private final Map<Integer, Optional<RemoteFd>> seconds = new HashMap<>();

  /**
   * @param recorded everything that was recorded
   */
  protected EmulatorReattachment(
      EmulatorAdapter<I> adapter, List<Recorded> recorded, ReattachContext context) {
    this.adapter = adapter;
    this.recorded = recorded;
    this.context = context;
  }

  /**
   * Tells an emulator what the saved one knew.
   *
   * @param socket the connection to it
   * @return what {@link #second} made, if there was a second socket
   */
  protected abstract Optional<RemoteFd> furnish(I image, RemoteFd socket);

  /** What was recorded. */
  protected final I image(Recorded each) {
    return adapter.image(each);
  }

  @Override
  public final Reattached reattach(Recorded each) {
    I image = image(each);
    int called = adapter.called(image);
    RemoteFd socket = adapter.met(called);
    Optional<RemoteFd> second =
        seconds.computeIfAbsent(called, number -> furnish(recorded(number), socket));
    RemoteFd made = socket;
    if (adapter.path(image).isEmpty()) {
      made = second.orElseThrow(() -> corrupt("fd:" + called + " has no " + adapter.second()));
    }
    Conversation.setFlags(context.husk(), made, each.statusFlags());
    return new Reattached(made);
  }

  private I recorded(int called) {
    for (Recorded each : recorded) {
      if (each.fd().number() == called) {
        return image(each);
      }
    }
    throw corrupt("the snapshot holds no connection fd:" + called);
  }

  private static SnapshotException corrupt(String why) {
    return new SnapshotException(SnapshotException.Fault.CORRUPT, why);
  }

  /**
   * Makes a second socket.
   *
   * @param with who is at the other end, for messages
   * @param give gives the emulator its end
   * @return the target's end
   */
  protected final Optional<RemoteFd> second(String with, Consumer<RemoteFd> give) {
    RemoteFd[] ends = Conversation.pair(context.husk(), with);
    give.accept(ends[1]);
    context.husk().call("close", with, Nr.CLOSE, ends[1].number());
    return Optional.of(context.park(ends[0]));
  }
}
