// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a QEMU's monitor, or to that of any other program that speaks QMP, such as
 * qemu-storage-daemon.
 *
 * <pre>{@code
 * try (Qmp qmp = Qmp.connect(Path.of("/run/vm/qmp"), Duration.ofSeconds(5))) {
 *   JsonNode status = qmp.execute("query-status");
 *   qmp.execute("device_del", args -> args.put("id", "net0"));
 * }
 * }</pre>
 *
 * <p>May be used by any number of threads at a time. Whatever waits throws {@link
 * IllegalStateException} on the connection's own thread, that is in listeners of events and stages
 * of {@link Pending#toFuture}; {@code submit} may be called there.
 */
public final class Qmp implements AutoCloseable {
  private final Connection connection;
  private final Greeting greeting;
  private final boolean outOfBand;
  private volatile @Nullable Schema schema;

  private Qmp(Connection connection, Greeting greeting, boolean outOfBand) {
    this.connection = connection;
    this.greeting = greeting;
    this.outOfBand = outOfBand;
  }

  /**
   * Connects to a monitor that listens at a UNIX socket, {@code -qmp unix:PATH,server=on,wait=off}.
   *
   * @param socket where it listens; at most 108 bytes, as the kernel wants it
   * @param timeout until the monitor takes commands, and for each later wait that is not given a
   *     time of its own; more than zero
   * @throws QmpException as {@link #connect(SocketAddress, QmpOptions)} does
   */
  public static Qmp connect(Path socket, Duration timeout) {
    return connect(UnixDomainSocketAddress.of(socket), QmpOptions.DEFAULT.withTimeout(timeout));
  }

  /**
   * Connects to a monitor that listens at a UNIX or TCP socket.
   *
   * @param address a {@link UnixDomainSocketAddress} or {@link java.net.InetSocketAddress}
   * @throws QmpBusyException if somebody else holds this monitor
   * @throws QmpConnectException if nobody listens there
   * @throws QmpTimeoutException if the host, or then the monitor, does not answer in time
   * @throws QmpProtocolException if what listens there does not speak QMP
   * @throws QmpClosedException if it hangs up at once
   * @throws QmpInterruptedException if the calling thread is interrupted before or while it waits
   */
  public static Qmp connect(SocketAddress address, QmpOptions options) {
    return negotiate(Transports.to(address, Connection.Dialect.QMP, options), options);
  }

  /**
   * Takes over a channel that is connected to a monitor which has not greeted anybody on it yet:
   * one that was accepted from a QEMU that connects by itself ({@code -qmp unix:PATH}), or
   * inherited.
   *
   * @param connected closed with this connection, and also if there comes to be none. One that is
   *     no socket must block, be readable and writable at the same time by two threads, and closing
   *     it must end both; a {@link java.nio.channels.FileChannel} is not, see {@link #open}.
   * @throws QmpException as {@link #connect(SocketAddress, QmpOptions)} does
   */
  public static Qmp adopt(ByteChannel connected, QmpOptions options) {
    return negotiate(Transports.over(connected, Connection.Dialect.QMP, options), options);
  }

  /**
   * Opens a monitor that is a file: a terminal ({@code -qmp pty}), a serial line, {@code
   * /proc/self/fd/N} of such. No socket can be opened so, and a terminal must be in raw mode
   * already, as QEMU's are.
   *
   * @throws QmpException as {@link #connect(SocketAddress, QmpOptions)} does
   */
  public static Qmp open(Path device, QmpOptions options) {
    return negotiate(Transports.open(device, Connection.Dialect.QMP, options), options);
  }

  /**
   * Takes over a channel on which a monitor takes commands already: somebody else has negotiated,
   * and does not use it any more. There is no greeting and nothing out of band.
   *
   * @param connected as in {@link #adopt}
   * @throws IllegalArgumentException for a {@link java.nio.channels.FileChannel}
   */
  public static Qmp resume(ByteChannel connected, QmpOptions options) {
    Connection connection = Transports.over(connected, Connection.Dialect.QMP, options);
    return new Qmp(connection, Greeting.NONE, false);
  }

  private static Qmp negotiate(Connection connection, QmpOptions options) {
    boolean done = false;
    try {
      Deadline deadline = Deadline.in(options.timeout());
      Greeting greeting = greeting(connection, deadline);
      boolean outOfBand = options.outOfBand() && greeting.capabilities().contains(Greeting.OOB);
      ObjectNode arguments = JsonNodeFactory.instance.objectNode();
      if (outOfBand) {
        arguments.putArray("enable").add(Greeting.OOB);
      }
      connection.submit("qmp_capabilities", arguments, Request.Kind.IN_BAND).get(deadline);
      done = true;
      return new Qmp(connection, greeting, outOfBand);
    } finally {
      if (!done) {
        connection.close();
      }
    }
  }

  private static Greeting greeting(Connection connection, Deadline deadline) {
    try {
      return connection.greeting().get(deadline);
    } catch (QmpTimeoutException e) {
      throw connection.notGreeted(deadline, e);
    }
  }

  /** What the server said of itself. */
  public Greeting greeting() {
    return greeting;
  }

  /** Whether {@link #executeOob} can be used: the server offered it and it was not declined. */
  public boolean isOutOfBand() {
    return outOfBand;
  }

  /** The events of this connection. */
  public Events events() {
    return connection.events();
  }

  /**
   * Executes a command without arguments and waits for its answer.
   *
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does
   */
  public JsonNode execute(String command) {
    return execute(command, none -> {});
  }

  /**
   * Executes a command and waits for its answer, as long as the timeout of the connection.
   *
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does
   */
  public JsonNode execute(String command, Consumer<? super ObjectNode> arguments) {
    return execute(command, arguments, connection.timeout());
  }

  /**
   * Executes a command and waits for its answer.
   *
   * @param command for example {@code device_del}
   * @param arguments fills in the arguments, on the calling thread, before anything is sent
   * @param timeout how long to wait. When it is over, a command that was not sent yet never will
   *     be, and the answer to one that was is passed over.
   * @return what the server returned; an empty object from a command that returns nothing
   * @throws QmpErrorException if the server refused the command or failed in it
   * @throws QmpTimeoutException if no answer came in time
   * @throws QmpClosedException if the connection is or was closed before the answer came
   * @throws QmpProtocolException if the server sent what is no QMP
   * @throws QmpInterruptedException if the calling thread was interrupted before or while it waited
   * @throws IllegalArgumentException if the arguments are none that QEMU can read: half of a
   *     surrogate pair, an infinite number, nested deeper than 1023, more than 64 MiB
   */
  public JsonNode execute(
      String command, Consumer<? super ObjectNode> arguments, Duration timeout) {
    return await(submit(command, arguments), timeout);
  }

  /**
   * Sends a command and does not wait. Commands are carried out in the order they were submitted;
   * at most eight are with the server at a time, the others wait on this side.
   *
   * @param arguments as in {@link #execute(String, Consumer, Duration)}
   * @throws QmpClosedException if the connection is closed
   * @throws QmpProtocolException if the connection was closed because of what is no QMP
   * @throws IllegalArgumentException as {@link #execute(String, Consumer, Duration)} does
   */
  public Pending<JsonNode> submit(String command, Consumer<? super ObjectNode> arguments) {
    return connection.submit(command, Arguments.of(arguments), Request.Kind.IN_BAND);
  }

  /**
   * Sends a command without arguments and does not wait.
   *
   * @throws QmpException as {@link #submit(String, Consumer)} does
   */
  public Pending<JsonNode> submit(String command) {
    return submit(command, none -> {});
  }

  /**
   * Executes a command out of band, which overtakes all others, and waits for its answer, as long
   * as the timeout of the connection. Few commands may be executed so: {@code allow-oob} in the
   * schema.
   *
   * @throws UnsupportedOperationException if out-of-band execution is not {@linkplain
   *     #isOutOfBand() enabled}
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does
   */
  public JsonNode executeOob(String command, Consumer<? super ObjectNode> arguments) {
    return await(submitOob(command, arguments), connection.timeout());
  }

  /**
   * Sends a command out of band and does not wait.
   *
   * @throws UnsupportedOperationException if out-of-band execution is not {@linkplain
   *     #isOutOfBand() enabled}
   * @throws QmpException as {@link #submit(String, Consumer)} does
   */
  public Pending<JsonNode> submitOob(String command, Consumer<? super ObjectNode> arguments) {
    if (!outOfBand) {
      throw new UnsupportedOperationException(
          command + ": out-of-band execution is not enabled at " + connection.peer());
    }
    return connection.submit(command, Arguments.of(arguments), Request.Kind.OUT_OF_BAND);
  }

  /**
   * What this server knows, by {@code query-qmp-schema}: two hundred kilobytes, asked for once.
   *
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does
   */
  public Schema schema() {
    Schema known = schema;
    if (known == null) {
      known = Schema.of(execute("query-qmp-schema"));
      schema = known;
    }
    return known;
  }

  private static JsonNode await(Pending<JsonNode> answer, Duration timeout) {
    try {
      return answer.get(timeout);
    } finally {
      answer.cancel();
    }
  }

  /** Whether commands can be executed: nobody closed this, and the server has not hung up. */
  public boolean isOpen() {
    return connection.isOpen();
  }

  /**
   * Completed with the reason when the connection ends: a {@link QmpClosedException} or {@link
   * QmpProtocolException}. Its dependent stages run on the reader, or on the thread that closes,
   * unless they are asynchronous.
   */
  public CompletableFuture<QmpException> ended() {
    return connection.ended().copy();
  }

  /**
   * Closes the connection and ends its thread; the server goes on and takes the next client. What
   * is in flight fails with {@link QmpClosedException}, and what was not sent yet is not sent. Any
   * number of times, from any thread; waits for the thread to end, except on itself, and at most
   * five seconds for a listener that does not return.
   */
  @Override
  public void close() {
    connection.close();
  }
}
