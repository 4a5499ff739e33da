// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vmckpt.qemu.live.LiveMachine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionJson;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.error.FailureException;
import java.time.Duration;
import java.util.Locale;

/**
 * Something that a QEMU has by an option of its command line, and that it can be told to make, and
 * to remove, while it runs.
 *
 * @param kind which option
 * @param id its id there
 * @param options what was behind that option, as it was written: {@code key=value,…} or JSON
 */
public record Part(Kind kind, String id, String options) {
  /** The options that can be plugged, in the order they need each other. */
  public enum Kind {
    CHARDEV,
    OBJECT,
    NETDEV,
    DEVICE
  }

  /** The longest text that a command for people takes; what is longer is cut off in silence. */
  static final int LONGEST = 1000;

  /** Until a part is made: it may run a script of the host's, or call a back end. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /** The same with another value for a key. */
  Part with(String key, String value) {
    return new Part(kind, id, new Option("", options).with(key, value).text());
  }

  /** The value of one of its keys; empty if there is none. */
  public String value(String key) {
    return new Option("", options).get(key);
  }

  /** Makes it. */
  void plug(Qmp qmp) {
    run(qmp, plugging());
  }

  /** Removes it; of a device the guest is asked to let go. */
  void unplug(Qmp qmp) {
    run(qmp, unplugging());
  }

  /**
   * The command that makes it. Most options that were not written as JSON are told to the monitor
   * for people, which reads them as the command line does.
   */
  ObjectNode plugging() {
    boolean json = OptionJson.is(options);
    return switch (kind) {
      case CHARDEV -> command("chardev-add", SocketChardev.arguments(id, options));
      case OBJECT ->
          json ? command("object-add", OptionJson.read(options)) : words("object_add " + options);
      case NETDEV ->
          json ? command("netdev_add", OptionJson.read(options)) : words("netdev_add " + quoted());
      case DEVICE ->
          json ? command("device_add", OptionJson.read(options)) : words("device_add " + quoted());
    };
  }

  private ObjectNode unplugging() {
    ObjectNode whom = JsonNodeFactory.instance.objectNode().put("id", id);
    return switch (kind) {
      case CHARDEV -> command("chardev-remove", whom);
      case OBJECT -> command("object-del", whom);
      case NETDEV -> command("netdev_del", whom);
      case DEVICE -> command("device_del", whom);
    };
  }

  /** Whether QEMU has it. */
  boolean isThere(Qmp qmp) {
    String name = kind.name().toLowerCase(Locale.ROOT);
    return new LiveMachine(qmp).has(new Option(name, "id=" + id));
  }

  private String quoted() {
    return '"' + options.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  private static ObjectNode words(String line) {
    return command(
        "human-monitor-command", JsonNodeFactory.instance.objectNode().put("command-line", line));
  }

  private static ObjectNode command(String name, ObjectNode arguments) {
    ObjectNode command = JsonNodeFactory.instance.objectNode().put("execute", name);
    command.set("arguments", arguments);
    return command;
  }

  private static JsonNode ask(Qmp qmp, ObjectNode command) {
    return qmp.execute(
        command.path("execute").asText(),
        arguments -> arguments.setAll((ObjectNode) command.path("arguments")),
        PATIENCE);
  }

  private static void run(Qmp qmp, ObjectNode command) {
    JsonNode answer = ask(qmp, command);
    // A command for people answers with nothing, or with what was wrong.
    String wrong = answer.isTextual() ? answer.asText().strip() : "";
    if (!wrong.isEmpty()) {
      throw new FailureException(wrong.replaceFirst("^Error: ", ""));
    }
  }
}
