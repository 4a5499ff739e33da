// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A client of a QEMU's monitor. It keeps all events, with the microsecond QEMU gave each of them.
 */
final class Qmp implements AutoCloseable {
  record Event(String name, long micros, Map<String, Object> data) {}

  private final SocketChannel channel;
  private final BufferedReader reader;
  private final List<Event> events = new ArrayList<>();

  Qmp(Path socket) {
    try {
      channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
      reader =
          new BufferedReader(
              new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
      next();
    } catch (IOException e) {
      throw new UncheckedIOException("no monitor at " + socket, e);
    }
    execute("qmp_capabilities", Map.of());
  }

  private Map<String, Object> next() {
    try {
      String line = reader.readLine();
      if (line == null) {
        throw new IllegalStateException("the monitor hung up");
      }
      return Json.object(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The answer to a command.
   *
   * @throws RefusedByQemuException with QEMU's own words
   */
  Object execute(String command, Map<String, Object> arguments) {
    Map<String, Object> request = new LinkedHashMap<>();
    request.put("execute", command);
    request.put("arguments", arguments);
    try {
      ByteBuffer bytes =
          ByteBuffer.wrap((Json.text(request, false) + "\n").getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    while (true) {
      Map<String, Object> answer = next();
      if (answer.containsKey("return")) {
        return answer.get("return");
      }
      if (answer.get("error") instanceof Map<?, ?> error) {
        throw new RefusedByQemuException(command + ": " + error.get("desc"));
      }
      keep(answer);
    }
  }

  /** A command of the monitor for humans; it answers with an empty text, or says what is wrong. */
  void human(String line) {
    Object answer = execute("human-monitor-command", Map.of("command-line", line));
    if (!answer.toString().isBlank()) {
      throw new RefusedByQemuException(line + ": " + answer.toString().strip());
    }
  }

  private void keep(Map<String, Object> message) {
    if (!(message.get("event") instanceof String name)) {
      return;
    }
    Map<?, ?> time = (Map<?, ?>) message.get("timestamp");
    long micros = (Long) time.get("seconds") * 1_000_000 + (Long) time.get("microseconds");
    Map<String, Object> data = new LinkedHashMap<>();
    if (message.get("data") instanceof Map<?, ?> map) {
      map.forEach((key, value) -> data.put(key.toString(), value));
    }
    events.add(new Event(name, micros, data));
  }

  /** All events so far are forgotten. */
  void forgetEvents() {
    events.clear();
  }

  /** The first event of that name since the last {@link #forgetEvents}; waits for it. */
  Event await(String name) {
    while (true) {
      for (Event event : events) {
        if (event.name().equals(name)) {
          return event;
        }
      }
      keep(next());
    }
  }

  /** Waits until a migration has ended; needs the capability "events". */
  void awaitMigration() {
    for (int seen = 0; ; seen++) {
      while (seen == events.size()) {
        keep(next());
      }
      Object status = events.get(seen).data().get("status");
      if (!events.get(seen).name().equals("MIGRATION") || status == null) {
        continue;
      }
      if (status.equals("completed")) {
        return;
      }
      if (status.equals("failed") || status.equals("cancelled")) {
        Map<?, ?> why = (Map<?, ?>) execute("query-migrate", Map.of());
        throw new RefusedByQemuException("migrate " + status + ": " + why.get("error-desc"));
      }
    }
  }

  /** From QEMU's STOP to its RESUME, in milliseconds. */
  double pauseMillis() {
    Event stop = await("STOP");
    Event resume = await("RESUME");
    return (resume.micros() - stop.micros()) / 1e3;
  }

  /**
   * How long the guest stood still since the last {@link #forgetEvents}, in milliseconds: all times
   * together, as a snapshot that had to begin anew has several.
   */
  double stillMillis() {
    // What is answered comes behind all events before it.
    execute("query-status", Map.of());
    long micros = 0;
    long stopped = -1;
    for (Event event : events) {
      if (event.name().equals("STOP")) {
        stopped = event.micros();
      } else if (event.name().equals("RESUME") && stopped >= 0) {
        micros += event.micros() - stopped;
        stopped = -1;
      }
    }
    return micros / 1e3;
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
