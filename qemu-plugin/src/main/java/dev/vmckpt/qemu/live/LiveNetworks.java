// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.qemu.options.OptionValue.Entry;
import dev.vmckpt.qmp.Qmp;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Back ends of networks, by what {@code info network} and {@code info usernet} print for people. Of
 * a user network they tell the forwarded ports, and nothing of its servers.
 */
final class LiveNetworks {
  private static final String USER = "user";
  private static final String TAP = "tap";

  /** What a user network is called without being told; of another one the mask is not told. */
  private static final String USUAL_NET = "10.0.2.0";

  /** {@code n: index=0,type=user,net=10.0.2.0,restrict=off}, behind whom it serves. */
  private static final Pattern LINE =
      Pattern.compile("(\\S+): index=\\d+,type=(\\w+)(?:,(.*))?$", Pattern.MULTILINE);

  /** {@code Hub -1 (n):}; older ones say VLAN. */
  private static final Pattern HUB = Pattern.compile("(?:Hub|VLAN) \\S+ \\((.*)\\):");

  /** {@code TCP[HOST_FORWARD] 12 127.0.0.1 34567 10.0.2.15 22 0 0}. */
  private static final Pattern FORWARD =
      Pattern.compile(
          "\\s*(TCP|UDP)\\[HOST_FORWARD\\]\\s+\\d+\\s+(\\S+)\\s+(\\d+)\\s+(\\S+)\\s+(\\d+)\\s.*");

  private final Map<String, Network> networks;
  private final Map<String, List<String>> forwards;
  private final List<String> words;

  private record Network(String type, String words) {}

  private LiveNetworks(String networks, String forwards) {
    this.networks = parse(networks);
    this.forwards = parseForwards(forwards);
    words = List.of(networks.split("[\\s\\\\]+", -1));
  }

  static LiveNetworks read(Qmp qmp) {
    // A QEMU that was built without user networks does not know the second, and says so.
    return of(People.ask(qmp, "info network"), People.ask(qmp, "info usernet"));
  }

  /**
   * Reads both texts.
   *
   * @param networks of {@code info network}
   * @param forwards of {@code info usernet}
   */
  static LiveNetworks of(String networks, String forwards) {
    return new LiveNetworks(networks, forwards);
  }

  private static Map<String, Network> parse(String text) {
    Map<String, Network> networks = new LinkedHashMap<>();
    Matcher line = LINE.matcher(text);
    while (line.find()) {
      String words = line.group(3) == null ? "" : line.group(3);
      networks.put(line.group(1), new Network(line.group(2), words));
    }
    return networks;
  }

  private static Map<String, List<String>> parseForwards(String text) {
    Map<String, List<String>> forwards = new LinkedHashMap<>();
    List<String> here = new ArrayList<>();
    for (String line : text.split("\n", -1)) {
      Matcher hub = HUB.matcher(line);
      Matcher forward = FORWARD.matcher(line);
      if (hub.matches()) {
        here = forwards.computeIfAbsent(hub.group(1), none -> new ArrayList<>());
      } else if (forward.matches()) {
        String from = forward.group(2).equals("*") ? "" : forward.group(2);
        here.add(
            forward.group(1).toLowerCase(Locale.ROOT)
                + (":" + from + ":" + forward.group(3))
                + ("-" + forward.group(4) + ":" + forward.group(5)));
      }
    }
    return forwards;
  }

  /** Whether QEMU has one, of whatever kind: not all of them are told more of than their ids. */
  boolean has(String id) {
    return words.contains(id) || words.contains(id + ":");
  }

  /** Those that QEMU is itself, in their order. */
  List<String> users() {
    List<String> users = new ArrayList<>();
    networks.forEach(
        (id, network) -> {
          if (network.type().equals(USER)) {
            users.add(id);
          }
        });
    return users;
  }

  /** Reads one back. */
  Told read(String id) {
    Network network = networks.get(id);
    if (network == null) {
      return Told.notEnough("");
    }
    OptionValue words = OptionValue.parse(network.words(), false);
    OptionValue value = new OptionValue(List.of(new Entry("", network.type()))).with("id", id);
    if (network.type().equals(USER) && words.text("net").equals(USUAL_NET)) {
      List<Entry> entries =
          new ArrayList<>(value.with("restrict", words.text("restrict")).entries());
      for (String forward : forwards.getOrDefault(id, List.of())) {
        entries.add(new Entry("hostfwd", forward));
      }
      return Told.by("netdev", new OptionValue(entries));
    }
    if (network.type().equals(TAP) && !words.text("ifname").isEmpty()) {
      for (String key : List.of("ifname", "script", "downscript")) {
        if (!words.text(key).isEmpty()) {
          value = value.with(key, words.text(key));
        }
      }
      return Told.by("netdev", value);
    }
    return Told.notEnough(network.type());
  }
}
