// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What QMP and the guest agent have in common: a thread that reads, commands that wait for their
 * answers, and an end.
 */
final class Connection implements Wire.User, AutoCloseable {
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
  private final Commands commands = new Commands();
  private final Events events = new Events(this);
  private final CompletableFuture<Greeting> greeting = new CompletableFuture<>();
  private final CompletableFuture<QmpException> ended = new CompletableFuture<>();

  private final AtomicLong ids = new AtomicLong();
  private volatile boolean connected;
  private volatile boolean skipToSentinel;

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

  /** Whether commands may be submitted; false before any of them fails by the end. */
  boolean isOpen() {
    return commands.isOpen();
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
    List<String> inFlight = commands.inFlight();
    return inFlight.isEmpty() ? "" : "; without an answer: " + String.join(", ", inFlight);
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
    return submit(new Request(id, command, kind, line, new CompletableFuture<>()));
  }

  /**
   * Asks a guest agent to repeat a number; from that answer on the others are to what was asked.
   *
   * @throws QmpException if the connection has ended
   */
  Pending<JsonNode> submitSync() {
    // Larger than any other id, and as large as JSON has room for, whoever reads it.
    long number = ThreadLocalRandom.current().nextLong(1L << 32, 1L << 53);
    String command = "guest-sync-delimited";
    byte[] line =
        MessageWriter.command(
            "execute", command, Arguments.of(args -> args.put("id", number)), number);
    return submit(
        new Request(
            number,
            command,
            Request.Kind.SENTINEL,
            MessageWriter.afterSentinel(line),
            new CompletableFuture<>()));
  }

  private Pending<JsonNode> submit(Request request) {
    commands.add(request);
    wire.wake();
    return new Pending<>(
        request.command(), request.answer(), this, () -> commands.withdraw(request));
  }

  @Override
  public byte @Nullable [] toSend() {
    Request next = commands.next();
    if (next == null) {
      return null;
    }
    if (next.kind() == Request.Kind.SENTINEL) {
      skipToSentinel = true;
    }
    return next.line();
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
      why = new QmpProtocolException(peer + ": " + e.getMessage(), e.excerpt(), e);
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
    return new QmpClosedException(peer + " " + what, commands.inFlight(), cause);
  }

  /** Tells everybody who waits. Called any number of times; the first reason stands. */
  private void finish(QmpException reason) {
    QmpException why = commands.end(reason);
    greeting.completeExceptionally(why);
    for (Request each : commands.drain()) {
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

  /** Throws {@link IllegalArgumentException} if it is no message of QMP. */
  private void message(ObjectNode message) {
    if (message.has("return") || message.has("error")) {
      answer(message);
    } else if (message.has("event")) {
      events.dispatch(QmpEvent.of(message));
    } else if (message.has("QMP") && !greeting.isDone()) {
      greeting.complete(Greeting.of(message.path("QMP")));
    } else {
      throw new IllegalArgumentException("neither an answer nor an event");
    }
  }

  private void answer(ObjectNode message) {
    JsonNode value = message.get("return");
    JsonNode error = message.path("error");
    if (value == null && !(error.path("class").isTextual() && error.path("desc").isTextual())) {
      throw new IllegalArgumentException("an error without class or desc");
    }
    Request request = commands.answered(message.get("id"), value);
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

  /** Ends the connection and its thread. Called any number of times, on any thread. */
  @Override
  public void close() {
    QmpException why = closed("was closed on this side", null);
    // Before the reader finds its channel closed, and takes that for a hang-up.
    commands.end(why);
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
