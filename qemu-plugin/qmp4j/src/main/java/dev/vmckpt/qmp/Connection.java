// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
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

  private static final Duration ENDING = Duration.ofSeconds(5);

  private final String peer;
  private final QmpOptions options;
  private final Wire wire;
  private final boolean local;
  private final Thread thread;
  private final MessageReader reader;
  private final Events events = new Events(this);
  private final CompletableFuture<Greeting> greeting = new CompletableFuture<>();
  private final CompletableFuture<QmpException> ended = new CompletableFuture<>();

  private volatile boolean connected;
  private volatile boolean skipToSentinel;

  private final Object lock = new Object();
  // All of these under the lock.
  private final Deque<Request> inBand = new ArrayDeque<>();
  private final Deque<Request> outOfBand = new ArrayDeque<>();
  private final Map<Long, Request> inFlight = new LinkedHashMap<>();
  private int inBandInFlight;
  private long lastId;
  private @Nullable QmpException end;

  /**
   * Starts the reader, which connects.
   *
   * @param local whether the other end is on this host, so that only its being busy takes time
   */
  Connection(String peer, Wire wire, boolean local, QmpOptions options) {
    this.peer = peer;
    this.wire = wire;
    this.local = local;
    this.options = options;
    this.reader = new MessageReader(options.limits());
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
    // The kernel of a UNIX socket keeps a second client waiting, a third one it does not even let
    // in.
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
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    Request request;
    synchronized (lock) {
      if (end != null) {
        throw end.again();
      }
      long id = ++lastId;
      byte[] line =
          MessageWriter.command(
              kind == Request.Kind.OUT_OF_BAND ? "exec-oob" : "execute", command, arguments, id);
      request = new Request(id, command, kind, line, answer);
      (request.isInBand() ? inBand : outOfBand).add(request);
    }
    wire.wake();
    return new Pending<>(command, answer, this, () -> withdraw(request));
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
      inFlight.put(next.id(), next);
      if (next.isInBand()) {
        inBandInFlight++;
      }
      if (next.kind() == Request.Kind.SENTINEL) {
        skipToSentinel = true;
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
    } catch (IOException e) {
      String text = e.getMessage() == null ? e.toString() : e.getMessage();
      why =
          connected
              ? closed("broke off: " + text, e)
              : new QmpConnectException("cannot connect to " + peer + ": " + text, e);
    } catch (RuntimeException | Error e) {
      // Whoever waits must learn of it, whatever it was.
      why = closed("given up: " + e, e);
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

  /** The first reason stands. */
  private void finish(QmpException reason) {
    QmpException why;
    List<Request> lost = new ArrayList<>();
    synchronized (lock) {
      if (end == null) {
        end = reason;
      }
      why = end;
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
    Request request = asked(message.path("id"));
    JsonNode value = message.get("return");
    if (value != null) {
      request.answer().complete(value);
      return;
    }
    JsonNode error = message.path("error");
    request
        .answer()
        .completeExceptionally(
            new QmpErrorException(
                request.command(),
                error.path("class").asText(),
                error.path("desc").asText(),
                null));
  }

  private Request asked(JsonNode id) {
    synchronized (lock) {
      Request request = id.isMissingNode() ? onlyOne() : inFlight.remove(id.asLong(-1));
      if (request == null) {
        throw new IllegalArgumentException("an answer to what nobody asked");
      }
      if (request.isInBand()) {
        inBandInFlight--;
      }
      return request;
    }
  }

  /** Old guest agents do not repeat the id. */
  private @Nullable Request onlyOne() {
    if (inFlight.size() != 1) {
      return null;
    }
    Iterator<Request> each = inFlight.values().iterator();
    Request request = each.next();
    each.remove();
    return request;
  }

  /** Ends the connection and its thread. Called any number of times, on any thread. */
  @Override
  public void close() {
    synchronized (lock) {
      if (end == null) {
        end = new QmpClosedException(peer + ": closed", names(inFlight.values()), null);
      }
    }
    wire.close();
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
