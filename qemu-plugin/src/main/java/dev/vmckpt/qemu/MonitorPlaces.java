// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Where the monitors of a QEMU listen that speak QMP, by its command line: {@code -qmp}, {@code
 * -qmp-pretty}, and {@code -mon chardev=ID,mode=control} with {@code -chardev socket,id=ID}. Only
 * servers: a monitor that connects to somebody is that one's.
 */
final class MonitorPlaces {
  private static final int MOST_PORT = 65535;

  private final Path directory;
  private final IntFunction<Optional<String>> listening;
  private final Map<String, Map<String, String>> chardevs = new HashMap<>();
  private final List<String> controls = new ArrayList<>();
  private final List<SocketAddress> places = new ArrayList<>();

  private MonitorPlaces(Path directory, IntFunction<Optional<String>> listening) {
    this.directory = directory;
    this.listening = listening;
  }

  /**
   * The places, in the order they were given.
   *
   * @param arguments the command line
   * @param directory what relative paths are relative to
   * @param listening the path that an inherited descriptor listens at
   */
  static List<SocketAddress> of(
      List<String> arguments, Path directory, IntFunction<Optional<String>> listening) {
    MonitorPlaces search = new MonitorPlaces(directory, listening);
    for (int i = 0; i + 1 < arguments.size(); i++) {
      // QEMU takes one dash and two for the same.
      String option = arguments.get(i).replaceFirst("^--?", "-");
      String value = arguments.get(i + 1);
      switch (option) {
        case "-qmp", "-qmp-pretty" -> search.addShort(value);
        case "-chardev" -> {
          Map<String, String> chardev = options(value, "backend");
          search.chardevs.put(chardev.getOrDefault("id", ""), chardev);
        }
        case "-mon" -> {
          Map<String, String> monitor = options(value, "chardev");
          if ("control".equals(monitor.get("mode"))) {
            search.controls.add(monitor.getOrDefault("chardev", ""));
          }
        }
        default -> {
          // Another option, or the value of one.
        }
      }
    }
    for (String id : search.controls) {
      search.addChardev(search.chardevs.getOrDefault(id, Map.of()));
    }
    return search.places;
  }

  /** {@code unix:PATH,server=on} or {@code tcp:HOST:PORT,server=on}. */
  private void addShort(String value) {
    int colon = value.indexOf(':');
    if (colon < 0) {
      return;
    }
    Map<String, String> options = options(value.substring(colon + 1), "place");
    String place = options.getOrDefault("place", "");
    if (!isServer(options)) {
      return;
    }
    if (value.startsWith("unix:")) {
      addUnix(place);
    } else if (value.startsWith("tcp:")) {
      int last = place.lastIndexOf(':');
      addTcp(last < 0 ? "" : place.substring(0, last), place.substring(last + 1));
    }
  }

  private void addChardev(Map<String, String> chardev) {
    if ("socket".equals(chardev.get("backend")) && isServer(chardev)) {
      String path = chardev.get("path");
      Integer fd = number(chardev.getOrDefault("fd", ""));
      if (fd != null) {
        listening.apply(fd).ifPresent(this::addUnix);
      } else if (path != null) {
        addUnix(path);
      } else {
        addTcp(chardev.getOrDefault("host", ""), chardev.getOrDefault("port", ""));
      }
    }
  }

  private void addUnix(String path) {
    places.add(UnixDomainSocketAddress.of(directory.resolve(path)));
  }

  private void addTcp(String host, String port) {
    Integer number = number(port);
    if (number != null) {
      String name = host.replaceAll("[\\[\\]]", "");
      places.add(new InetSocketAddress(name.isEmpty() ? "localhost" : name, number));
    }
  }

  private static @Nullable Integer number(String port) {
    try {
      int number = Integer.parseInt(port);
      return number > 0 && number <= MOST_PORT ? number : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static boolean isServer(Map<String, String> options) {
    String server = options.get("server");
    return server != null && !server.equals("off") && !server.equals("no");
  }

  /**
   * The options of one argument: {@code a,b=c}, with two commas for one.
   *
   * @param first the name of the first if it has none
   */
  static Map<String, String> options(String argument, String first) {
    Map<String, String> options = new HashMap<>();
    StringBuilder word = new StringBuilder();
    for (int i = 0; i <= argument.length(); i++) {
      boolean end = i == argument.length();
      if (!end && argument.charAt(i) != ',') {
        word.append(argument.charAt(i));
      } else if (!end && i + 1 < argument.length() && argument.charAt(i + 1) == ',') {
        word.append(',');
        i++;
      } else {
        put(word.toString(), options.isEmpty() ? first : null, options);
        word.setLength(0);
      }
    }
    return options;
  }

  private static void put(String word, @Nullable String first, Map<String, String> options) {
    int equals = word.indexOf('=');
    if (equals >= 0 && (first == null || !word.substring(0, equals).contains("/"))) {
      options.put(word.substring(0, equals), word.substring(equals + 1));
    } else if (first != null) {
      options.put(first, word);
    } else if (!word.isEmpty()) {
      // The old way of a switch: server, nowait.
      boolean off = word.startsWith("no") && !word.equals("nodelay");
      options.put(off ? word.substring(2) : word, off ? "off" : "on");
    }
  }
}
