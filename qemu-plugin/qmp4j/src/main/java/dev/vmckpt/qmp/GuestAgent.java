// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * A connection to a guest agent, qemu-ga, usually through the virtio port that QEMU gives it:
 * {@code -chardev socket,id=ga,path=PATH,server=on,wait=off -device virtio-serial -device
 * virtserialport,chardev=ga,name=org.qemu.guest_agent.0}.
 *
 * <pre>{@code
 * try (GuestAgent agent = GuestAgent.connect(Path.of("/run/vm/agent"), Duration.ofSeconds(5))) {
 *   String system = agent.execute("guest-get-osinfo").path("pretty-name").asText();
 * }
 * }</pre>
 *
 * <p>The agent does not greet, and the line to it may be full of what it still had to say to
 * others. So each connection begins with guest-sync-delimited, and so does the first command after
 * one that was not answered: from there on, question and answer belong together again.
 *
 * <p>May be used by any number of threads; the agent gets one command at a time, the others wait
 * within their own timeouts. There are no events. A guest is not to be trusted: what it sends is
 * {@linkplain #DEFAULT limited} more than what QEMU sends.
 *
 * <p>Source: QEMU's docs/interop/qemu-ga and qga/qapi-schema.json.
 */
public final class GuestAgent implements AutoCloseable {
  /**
   * Thirty seconds, and messages of at most 16 MiB, depth 100 and 256 Ki tokens; guest-file-read
   * may want more of the first.
   */
  public static final QmpOptions DEFAULT =
      QmpOptions.DEFAULT.withLimits(new Limits(16 << 20, 100, 256 << 10));

  private final Connection connection;
  private final ReentrantLock turn = new ReentrantLock();
  private boolean inStep; // by the turn

  private GuestAgent(Connection connection) {
    this.connection = connection;
  }

  /**
   * Connects to the UNIX socket of an agent or of the port to it.
   *
   * @param timeout until the agent has answered, and for each later command that is not given a
   *     time of its own; more than zero
   * @throws QmpException as {@link #connect(SocketAddress, QmpOptions)} does
   */
  public static GuestAgent connect(Path socket, Duration timeout) {
    return connect(UnixDomainSocketAddress.of(socket), DEFAULT.withTimeout(timeout));
  }

  /**
   * Connects to the UNIX or TCP socket of an agent or of the port to it.
   *
   * @throws QmpTimeoutException if no agent answers: none runs in the guest, or somebody else holds
   *     the socket
   * @throws QmpConnectException if nobody listens there
   * @throws QmpClosedException if what listens there hangs up
   * @throws QmpInterruptedException if the calling thread is interrupted before or while it waits
   */
  public static GuestAgent connect(SocketAddress address, QmpOptions options) {
    return meet(Transports.to(address, Connection.Dialect.GUEST_AGENT, options));
  }

  /**
   * Takes over a channel that is connected to an agent; see {@link Qmp#adopt}.
   *
   * @throws QmpException as {@link #connect(SocketAddress, QmpOptions)} does
   */
  public static GuestAgent adopt(ByteChannel connected, QmpOptions options) {
    return meet(Transports.over(connected, Connection.Dialect.GUEST_AGENT, options));
  }

  private static GuestAgent meet(Connection connection) {
    GuestAgent agent = new GuestAgent(connection);
    boolean done = false;
    try {
      agent.sync();
      done = true;
      return agent;
    } finally {
      if (!done) {
        connection.close();
      }
    }
  }

  /**
   * Sees that the agent is there and that its next answer is to our next command. Done by itself
   * where it is needed.
   *
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does
   */
  public void sync() {
    Deadline deadline = Deadline.in(connection.timeout());
    take("guest-sync-delimited", deadline);
    try {
      inStep = false;
      step(deadline);
    } finally {
      turn.unlock();
    }
  }

  private void take(String command, Deadline deadline) {
    connection.checkMayWait();
    try {
      if (!turn.tryLock(deadline.nanos(), TimeUnit.NANOSECONDS)) {
        throw new QmpTimeoutException(
            command + ": other commands took all of " + deadline + connection.whyNotYet(), null);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new QmpInterruptedException(command + ": interrupted", e);
    }
  }

  private void step(Deadline deadline) {
    if (inStep) {
      return;
    }
    Pending<JsonNode> answer = connection.submitSync();
    try {
      answer.get(deadline);
      inStep = true;
    } catch (QmpTimeoutException e) {
      throw new QmpTimeoutException(
          connection.peer()
              + ": no guest agent answers within "
              + deadline
              + ": none runs in the guest, or somebody else holds this socket",
          e);
    } finally {
      answer.cancel();
    }
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
   * Executes a command and waits for its answer. Commands that answer only when they fail, such as
   * guest-shutdown, are for {@link #executeUnanswered}.
   *
   * @param command for example {@code guest-get-osinfo}
   * @param arguments fills in the arguments, on the calling thread, before anything is sent
   * @param timeout how long to wait, other threads' commands included. The agent may carry out the
   *     command after that all the same.
   * @return what the agent returned; an empty object from a command that returns nothing
   * @throws QmpErrorException if the agent refused the command or failed in it
   * @throws QmpTimeoutException if no answer came in time
   * @throws QmpClosedException if the connection is or was closed before the answer came
   * @throws QmpProtocolException if what came is no JSON, or beyond the limits; the connection is
   *     closed then
   * @throws QmpInterruptedException if the calling thread was interrupted before or while it waited
   * @throws IllegalArgumentException as {@link Qmp#execute(String, Consumer, Duration)} does
   */
  public JsonNode execute(
      String command, Consumer<? super ObjectNode> arguments, Duration timeout) {
    Deadline deadline = Deadline.in(timeout);
    ObjectNode filled = Arguments.of(arguments);
    take(command, deadline);
    try {
      step(deadline);
      Pending<JsonNode> answer = connection.submit(command, filled, Request.Kind.IN_BAND);
      inStep = false;
      try {
        JsonNode value = answer.get(deadline);
        inStep = true;
        return value;
      } catch (QmpErrorException e) {
        inStep = true;
        throw e;
      } finally {
        answer.cancel();
      }
    } finally {
      turn.unlock();
    }
  }

  /**
   * Executes a command that answers only when it fails: guest-shutdown, guest-suspend-disk,
   * guest-suspend-ram, guest-suspend-hybrid.
   *
   * @param patience how long to wait for a refusal; when it is over, or the other end hangs up, the
   *     command is taken to have been carried out
   * @throws QmpErrorException if the agent refused the command or failed in it
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does; a timeout only if
   *     the command could not be sent
   */
  public void executeUnanswered(
      String command, Consumer<? super ObjectNode> arguments, Duration patience) {
    ObjectNode filled = Arguments.of(arguments);
    Deadline deadline = Deadline.in(connection.timeout());
    take(command, deadline);
    try {
      step(deadline);
      Pending<JsonNode> answer = connection.submit(command, filled, Request.Kind.IN_BAND);
      inStep = false;
      try {
        answer.get(patience);
        inStep = true;
      } catch (QmpTimeoutException | QmpClosedException e) {
        // As it should be.
      } catch (QmpErrorException e) {
        inStep = true;
        throw e;
      } finally {
        answer.cancel();
      }
    } finally {
      turn.unlock();
    }
  }

  /**
   * The commands that this agent knows and has not been told to refuse, by guest-info.
   *
   * @throws QmpException as {@link #execute(String, Consumer, Duration)} does
   */
  public Set<String> commands() {
    Set<String> commands = new TreeSet<>();
    for (JsonNode each : execute("guest-info").path("supported_commands")) {
      if (each.path("enabled").asBoolean()) {
        commands.add(each.path("name").asText());
      }
    }
    return commands;
  }

  /** Whether commands can be executed: nobody closed this, and the other end has not hung up. */
  public boolean isOpen() {
    return connection.isOpen();
  }

  /** Closes the connection and ends its thread, as {@link Qmp#close} does. */
  @Override
  public void close() {
    connection.close();
  }
}
