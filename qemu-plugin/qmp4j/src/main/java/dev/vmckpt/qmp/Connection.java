// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What QMP and the guest agent have in common: a thread that reads, commands that wait for their
 * answers, and an end.
 *
 * <p>At most {@link #MAX_IN_BAND} commands are with the server at a time, the others wait here.
 * QEMU does not read on when its queue is full, and a command out of band could not overtake
 * (qmp-spec, "at most eight in-band commands in flight").
 */
final class Connection implements Wire.User, AutoCloseable {
  static final int MAX_IN_BAND = 8;

  /** What the other end speaks. */
  enum Dialect {
    /** A greeting, answers with ids, events. */
    QMP,
    /**
     * No greeting and no events; sentinels; answers without ids from old agents, and answers to
     * clients who were there before.
     */
    GUEST_AGENT
  }

  private static final Duration ENDING = Duration.ofSeconds(5);

  private final String peer;
  private final QmpOptions options;
  private final Wire wire;
  private final boolean local;
  private final Dialect dialect;
  private final Thread thread;
  private final MessageReader reader;
  private final Events events = new Events(this);
  private final CompletableFuture<Greeting> greeting = new CompletableFuture<>();
  private final CompletableFuture<QmpException> ended = new CompletableFuture<>();

  private final AtomicLong ids = new AtomicLong();
  private volatile boolean connected;
  private volatile boolean skipToSentinel;

  private final Object lock = new Object();
  // All of these under the lock.
  private final Deque<Request> inBand = new ArrayDeque<>();
  private final Deque<Request> outOfBand = new ArrayDeque<>();
  private final Map<Long, Request> inFlight = new LinkedHashMap<>();
  private int inBandInFlight;
  private @Nullable QmpException end;

  /**
   * Starts the reader, which connects.
   *
   * @param dialect what the other end speaks
   * @param local whether the other end is on this host, so that only its being busy takes time
   */
  Connection(String peer, Wire wire, boolean local, Dialect dialect, QmpOptions options) {
    this.peer = peer;
    this.wire = wire;
    this.local = local;
    this.dialect = dialect;
    this.options = options;
    this.reader = new MessageReader(options.limits(), dialect == Dialect.GUEST_AGENT);
    this.thread = new Thread(this::run, "qmp " + peer);
    thread.setDaemon(true);
    thread.start();
  }

  Duration timeout() {
    return options.timeout();
  }

  Events events() {
    return events;
  }

  String peer() {
    return peer;
  }

  /** Why a server did not greet us until a deadline. */
  QmpException notGreeted(Deadline deadline, QmpTimeoutException timeout) {
    if (!connected && !local) {
      return new QmpTimeoutException(peer + ": not connected within " + deadline, timeout);
    }
    // The kernel of a UNIX socket keeps a few clients waiting; more of them it does not let in.
    return new QmpBusyException(
        peer
            + (connected ? ": connected, but not greeted within " : ": not let in within ")
            + deadline
            + ": somebody else holds this monitor, which serves one client at a time,"
            + " or its process is stopped",
        timeout);
  }

  /** What the server says before anything else; fails if the connection does. */
  Pending<Greeting> greeting() {
    return new Pending<>("the greeting of " + peer, greeting, this, () -> {});
  }

  /** Completed with the reason when the connection has ended. */
  CompletableFuture<QmpException> ended() {
    return ended;
  }

  void checkMayWait() {
    if (Thread.currentThread() == thread) {
      throw new IllegalStateException("the thread that reads " + peer + " would wait for itself");
    }
  }

  /** What a timeout had better say of the state of the server; empty for nothing. */
  String whyNotYet() {
    synchronized (lock) {
      if (inFlight.isEmpty()) {
        return "";
      }
      List<String> names = names(inFlight.values());
      return "; without an answer: " + String.join(", ", names);
    }
  }

  /**
   * Hands a command to the reader.
   *
   * @throws IllegalArgumentException if QEMU could not read it
   * @throws QmpException if the connection has ended
   */
  Pending<JsonNode> submit(String command, ObjectNode arguments, Request.Kind kind) {
    long id = ids.incrementAndGet();
    String verb = kind == Request.Kind.OUT_OF_BAND ? "exec-oob" : "execute";
    byte[] line = MessageWriter.command(verb, command, arguments, id);
    if (kind == Request.Kind.SENTINEL) {
      line = MessageWriter.afterSentinel(line);
    }
    Request request = new Request(id, command, kind, line, new CompletableFuture<>());
    synchronized (lock) {
      if (end != null) {
        throw end.again();
      }
      (request.isInBand() ? inBand : outOfBand).add(request);
    }
    wire.wake();
    return new Pending<>(command, request.answer(), this, () -> withdraw(request));
  }

  /** Of one that was sent the place in the server's queue is taken until the answer comes. */
  private void withdraw(Request request) {
    synchronized (lock) {
      inBand.remove(request);
      outOfBand.remove(request);
    }
  }

  @Override
  public byte @Nullable [] toSend() {
    synchronized (lock) {
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
        skipToSentinel = true;
      }
      inFlight.put(next.id(), next);
      if (next.isInBand()) {
        inBandInFlight++;
      }
      return next.line();
    }
  }

  private void run() {
    QmpException why;
    try {
      wire.connect();
      connected = true;
      wire.run(this);
      String rest = reader.unfinished();
      why =
          closed(
              "hung up" + (rest == null ? "" : " in the middle of a message: '" + rest + "'"),
              null);
    } catch (QmpProtocolException e) {
      why = e;
    } catch (IOException | RuntimeException | Error e) {
      // Whatever it was, whoever waits must learn of it.
      String text = e instanceof IOException && e.getMessage() != null ? e.getMessage() : "" + e;
      why =
          connected
              ? closed("broke off: " + text, e)
              : new QmpConnectException("cannot connect to " + peer + ": " + text, e);
    }
    wire.close();
    finish(why);
  }

  private QmpException closed(String what, @Nullable Throwable cause) {
    synchronized (lock) {
      return new QmpClosedException(peer + " " + what, names(inFlight.values()), cause);
    }
  }

  private static List<String> names(Iterable<Request> requests) {
    List<String> names = new ArrayList<>();
    for (Request each : requests) {
      names.add(each.command());
    }
    return List.copyOf(names);
  }

  /** From here on nothing is submitted; returns the first reason. */
  private QmpException end(QmpException reason) {
    synchronized (lock) {
      if (end == null) {
        end = reason;
      }
      return end;
    }
  }

  /** Tells everybody who waits. Called any number of times; the first reason stands. */
  private void finish(QmpException reason) {
    QmpException why = end(reason);
    List<Request> lost = new ArrayList<>();
    synchronized (lock) {
      lost.addAll(inFlight.values());
      lost.addAll(outOfBand);
      lost.addAll(inBand);
      inFlight.clear();
      outOfBand.clear();
      inBand.clear();
    }
    greeting.completeExceptionally(why);
    for (Request each : lost) {
      each.answer().completeExceptionally(why);
    }
    events.end(why);
    ended.complete(why);
  }

  @Override
  public void received(byte[] bytes, int length) {
    if (skipToSentinel) {
      skipToSentinel = false;
      reader.skipToSentinel();
    }
    reader.feed(bytes, 0, length, this::message);
  }

  private void message(ObjectNode message) {
    try {
      if (message.has("return") || message.has("error")) {
        answer(message);
      } else if (message.has("event")) {
        events.dispatch(QmpEvent.of(message));
      } else if (message.has("QMP") && !greeting.isDone()) {
        greeting.complete(Greeting.of(message.path("QMP")));
      } else {
        throw new IllegalArgumentException("neither an answer nor an event");
      }
    } catch (IllegalArgumentException e) {
      Excerpt excerpt = Excerpt.of(message);
      throw new QmpProtocolException(
          peer + " sent what is no QMP: " + e.getMessage() + ": " + excerpt, excerpt.toString(), e);
    }
  }

  private void answer(ObjectNode message) {
    JsonNode value = message.get("return");
    JsonNode error = message.path("error");
    if (value == null && !(error.path("class").isTextual() && error.path("desc").isTextual())) {
      throw new IllegalArgumentException("an error without class or desc");
    }
    Request request = asked(message.get("id"));
    if (request == null) {
      if (dialect == Dialect.QMP) {
        throw new IllegalArgumentException("an answer to what nobody asked");
      }
    } else if (value != null) {
      request.answer().complete(value);
    } else {
      String errorClass = error.path("class").textValue();
      String description = error.path("desc").textValue();
      request
          .answer()
          .completeExceptionally(
              new QmpErrorException(request.command(), errorClass, description, null));
    }
  }

  /** Without an id it answers the only command that has none: so do old guest agents. */
  private @Nullable Request asked(@Nullable JsonNode id) {
    synchronized (lock) {
      Request request = null;
      if (id == null && inFlight.size() == 1) {
        request = inFlight.remove(inFlight.keySet().iterator().next());
      } else if (id != null && id.isIntegralNumber() && id.canConvertToLong()) {
        request = inFlight.remove(id.longValue());
      }
      if (request != null && request.isInBand()) {
        inBandInFlight--;
      }
      return request;
    }
  }

  /** Ends the connection and its thread. Called any number of times, on any thread. */
  @Override
  public void close() {
    QmpException why = closed("was closed on this side", null);
    // Before the reader finds its channel closed, and takes that for a hang-up.
    end(why);
    wire.close();
    // Not left to the reader, whom a listener may keep busy.
    finish(why);
    if (Thread.currentThread() == thread) {
      return;
    }
    boolean interrupted = false;
    Deadline deadline = Deadline.in(ENDING);
    while (thread.isAlive() && deadline.nanos() > 0) {
      try {
        thread.join(Math.max(1, deadline.left().toMillis()));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
