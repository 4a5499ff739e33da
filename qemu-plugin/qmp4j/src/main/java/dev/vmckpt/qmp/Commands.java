// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The commands of a connection: those that wait to be sent, and those that are with the server.
 *
 * <p>At most {@link #MAX_IN_BAND} are with the server at a time, the others wait here. QEMU does
 * not read on when its queue is full, and a command out of band could not overtake (qmp-spec, "at
 * most eight in-band commands in flight").
 *
 * <p>Any thread may call anything.
 */
final class Commands {
  static final int MAX_IN_BAND = 8;

  private final Deque<Request> inBand = new ArrayDeque<>();
  private final Deque<Request> outOfBand = new ArrayDeque<>();
  private final Map<Long, Request> inFlight = new LinkedHashMap<>();
  private int inBandInFlight;
  private @Nullable QmpException end;

  /**
   * One more to be sent.
   *
   * @throws QmpException if all of it has ended
   */
  synchronized void add(Request request) {
    if (end != null) {
      throw end.again();
    }
    (request.isInBand() ? inBand : outOfBand).add(request);
  }

  /** One is not to be sent any more; if it was, its place is taken until its answer comes. */
  synchronized void withdraw(Request request) {
    inBand.remove(request);
    outOfBand.remove(request);
  }

  /** The next to be sent, which is with the server from here on; null if there is none. */
  synchronized @Nullable Request next() {
    Request next = outOfBand.poll();
    if (next == null && inBandInFlight < MAX_IN_BAND) {
      next = inBand.poll();
    }
    if (next == null) {
      return null;
    }
    if (next.kind() == Request.Kind.SENTINEL) {
      // Whatever the agent still had to say is passed over with everything before the sentinel.
      inFlight.clear();
      inBandInFlight = 0;
    }
    inFlight.put(next.id(), next);
    inBandInFlight += next.isInBand() ? 1 : 0;
    return next;
  }

  /**
   * The command that an answer is to, which is not with the server any more; null if nobody asked.
   *
   * @param id of the answer; null if it has none
   * @param value of the answer; null if it is an error
   */
  synchronized @Nullable Request answered(@Nullable JsonNode id, @Nullable JsonNode value) {
    Request request = null;
    if (id == null) {
      request = onlyOne(value);
    } else if (id.isIntegralNumber() && id.canConvertToLong()) {
      request = inFlight.get(id.longValue());
    }
    if (request != null) {
      inFlight.remove(request.id());
      inBandInFlight -= request.isInBand() ? 1 : 0;
    }
    return request;
  }

  /** Without an id it answers the only command there is: so do old guest agents. */
  private @Nullable Request onlyOne(@Nullable JsonNode value) {
    if (inFlight.size() != 1) {
      return null;
    }
    Request only = inFlight.values().iterator().next();
    // Before it gets to our number an agent has to answer others, and to complain of the sentinel.
    boolean ours =
        only.kind() != Request.Kind.SENTINEL || (value != null && value.asLong(-1) == only.id());
    return ours ? only : null;
  }

  /** The names of those that are with the server, in the order they were sent. */
  synchronized List<String> inFlight() {
    List<String> names = new ArrayList<>();
    for (Request each : inFlight.values()) {
      names.add(each.command());
    }
    return List.copyOf(names);
  }

  /** Whether more may be added. */
  synchronized boolean isOpen() {
    return end == null;
  }

  /** Nothing is added from here on; returns the first reason. */
  synchronized QmpException end(QmpException reason) {
    if (end == null) {
      end = reason;
    }
    return end;
  }

  /** Takes out all there are: nobody will answer them. */
  synchronized List<Request> drain() {
    List<Request> all = new ArrayList<>(inFlight.values());
    all.addAll(outOfBand);
    all.addAll(inBand);
    inFlight.clear();
    outOfBand.clear();
    inBand.clear();
    return all;
  }
}
