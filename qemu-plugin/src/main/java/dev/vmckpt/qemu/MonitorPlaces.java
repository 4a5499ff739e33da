// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionValue;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.InvalidPathException;
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
  private final List<SocketAddress> places = new ArrayList<>();

  private MonitorPlaces(Path directory, IntFunction<Optional<String>> listening) {
    this.directory = directory;
    this.listening = listening;
  }

  /**
   * The places, in the order they were given.
   *
   * @param directory what relative paths are relative to
   * @param listening the path that an inherited descriptor listens at
   */
  static List<SocketAddress> of(
      CommandLine line, Path directory, IntFunction<Optional<String>> listening) {
    MonitorPlaces search = new MonitorPlaces(directory, listening);
    Map<String, OptionValue> chardevs = new HashMap<>();
    List<String> controls = new ArrayList<>();
    for (Option option : line.options()) {
      OptionValue value = option.keys();
      switch (option.name()) {
        case "qmp", "qmp-pretty" -> search.addShort(option.text());
        case "chardev" -> chardevs.put(value.text("id"), value);
        case "mon" -> {
          if (value.text("mode").equals("control")) {
            controls.add(value.first("chardev"));
          }
        }
        default -> {
          // Another option.
        }
      }
    }
    for (String id : controls) {
      OptionValue chardev = chardevs.get(id);
      if (chardev != null) {
        search.addChardev(chardev);
      }
    }
    return search.places;
  }

  /** {@code unix:PATH,server=on} or {@code tcp:HOST:PORT,server=on}. */
  private void addShort(String value) {
    int colon = value.indexOf(':');
    if (colon < 0) {
      return;
    }
    OptionValue options = OptionValue.parse(value.substring(colon + 1), true);
    String place = options.first("path");
    if (!options.isOn("server")) {
      return;
    }
    if (value.startsWith("unix:")) {
      addUnix(place);
    } else if (value.startsWith("tcp:")) {
      int last = place.lastIndexOf(':');
      addTcp(last < 0 ? "" : place.substring(0, last), place.substring(last + 1));
    }
  }

  private void addChardev(OptionValue chardev) {
    if (chardev.first("backend").equals("socket") && chardev.isOn("server")) {
      String path = chardev.get("path");
      Integer fd = number(chardev.text("fd"));
      if (fd != null) {
        listening.apply(fd).ifPresent(this::addUnix);
      } else if (path != null) {
        addUnix(path);
      } else {
        addTcp(chardev.text("host"), chardev.text("port"));
      }
    }
  }

  private void addUnix(String path) {
    try {
      places.add(UnixDomainSocketAddress.of(directory.resolve(path)));
    } catch (InvalidPathException e) {
      // Nobody listens where there can be nothing.
    }
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
}
