// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vmckpt.qemu.options.OptionValue;
import java.util.Set;
import java.util.TreeSet;

/**
 * {@code -chardev socket}, a client, as the monitor is told of one. The monitor for people cannot
 * make one again: of what the command line made, QEMU remembers the id for good.
 */
final class SocketChardev {
  /** What can be told; {@code server} and {@code wait} only if they are off. */
  private static final Set<String> KNOWN =
      Set.of(
          "",
          "backend",
          "id",
          "path",
          "host",
          "port",
          "ipv4",
          "ipv6",
          "abstract",
          "tight",
          "nodelay",
          "delay",
          "reconnect",
          "logfile",
          "logappend",
          "tls-creds",
          "tls-authz",
          "server",
          "wait",
          "telnet",
          "tn3270",
          "websocket");

  private SocketChardev() {}

  /** Whether it is a socket at all. */
  static boolean is(OptionValue options) {
    return options.first("backend").equals("socket");
  }

  /** The keys that cannot be told. */
  static Set<String> unknown(OptionValue options) {
    Set<String> unknown = new TreeSet<>();
    for (OptionValue.Entry entry : options.entries()) {
      unknown.add(entry.key());
    }
    unknown.removeAll(KNOWN);
    return unknown;
  }

  /** The arguments of {@code chardev-add}. */
  static ObjectNode arguments(String id, String text) {
    OptionValue options = OptionValue.parse(text, true);
    ObjectNode place = JsonNodeFactory.instance.objectNode();
    ObjectNode address = JsonNodeFactory.instance.objectNode();
    String path = options.get("path");
    if (path != null) {
      place.put("type", "unix");
      address.put("path", path);
      putSwitches(address, options, "abstract", "tight");
    } else {
      place.put("type", "inet");
      address.put("host", options.text("host")).put("port", options.text("port"));
      putSwitches(address, options, "ipv4", "ipv6");
    }
    place.set("data", address);
    ObjectNode data = JsonNodeFactory.instance.objectNode();
    data.set("addr", place);
    data.put("server", false);
    putSwitches(data, options, "nodelay", "telnet", "tn3270", "websocket", "logappend");
    if (options.get("delay") != null) {
      data.put("nodelay", !options.isOn("delay"));
    }
    for (String key : new String[] {"logfile", "tls-creds", "tls-authz"}) {
      if (options.get(key) != null) {
        data.put(key, options.text(key));
      }
    }
    if (options.text("reconnect").matches("\\d{1,9}")) {
      data.put("reconnect", Integer.parseInt(options.text("reconnect")));
    }
    ObjectNode backend = JsonNodeFactory.instance.objectNode().put("type", "socket");
    backend.set("data", data);
    ObjectNode arguments = JsonNodeFactory.instance.objectNode().put("id", id);
    arguments.set("backend", backend);
    return arguments;
  }

  private static void putSwitches(ObjectNode into, OptionValue options, String... keys) {
    for (String key : keys) {
      if (options.get(key) != null) {
        into.put(key, options.isOn(key));
      }
    }
  }
}
