// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.live.LiveMachine;
import dev.vmckpt.qemu.live.Told;
import dev.vmckpt.qemu.machine.MachineImage.Later;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionJson;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.spi.error.Refusal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What came and went while a machine ran: its command line alone does not make the like of it.
 * Devices that came are read back with what they name; of the options of the command line those are
 * left out whose parts are gone.
 */
final class LaterParts {
  private static final String REMEDY = "unplug it and take a snapshot then, or leave out --machine";

  /** Which key of a device names what: the option that makes it. */
  private static final Map<String, String> BACK_ENDS =
      Map.of(
          "chardev", "chardev",
          "netdev", "netdev",
          "drive", "drive",
          "memdev", "object",
          "rng", "object",
          "iothread", "object",
          "cryptodev", "object");

  /** Where QEMU has put a device that its command line does not place. */
  private static final List<String> PLACES =
      Stream.concat(LiveMachine.PLACES.stream(), Stream.of("scsi-id", "lun", "nr", "slot"))
          .toList();

  private final LiveMachine live;
  private final CommandLine line;

  /** In the order that they need each other, each once. */
  private final Set<Option> come = new LinkedHashSet<>();

  private final List<Refusal> refusals = new ArrayList<>();

  private LaterParts(LiveMachine live, CommandLine line) {
    this.live = live;
    this.line = line;
  }

  /**
   * Compares a machine with the command line of its QEMU.
   *
   * @param refusals what QEMU does not tell enough of is added to them
   * @return null if it is what its command line says
   */
  static @Nullable Later find(LiveMachine live, CommandLine line, List<Refusal> refusals) {
    LaterParts parts = new LaterParts(live, line);
    parts.findDevices();
    refusals.addAll(parts.refusals);
    List<Option> begun = parts.left();
    boolean users = parts.hasOtherUserNetworks();
    if (!users && parts.come.isEmpty() && begun.equals(line.options())) {
      return null;
    }
    begun.addAll(parts.come);
    List<String> words = new ArrayList<>(List.of(line.program()));
    words.addAll(CommandLine.toArguments(begun));
    return new Later(words, users);
  }

  private void findDevices() {
    // By their path, the bus that they sit on.
    Map<String, String> waiting = new LinkedHashMap<>();
    for (String path : live.devices().keySet()) {
      if (live.isHotPlugged(path)) {
        waiting.put(path, live.bus(path));
      }
    }
    // One that sits on another comes after that.
    while (!waiting.isEmpty()) {
      Predicate<String> free =
          path -> waiting.keySet().stream().noneMatch(on -> isOn(waiting.get(path), on));
      List<String> next = waiting.keySet().stream().filter(free).toList();
      next = next.isEmpty() ? List.copyOf(waiting.keySet()) : next;
      next.forEach(this::add);
      waiting.keySet().removeAll(next);
    }
  }

  private static boolean isOn(@Nullable String bus, String device) {
    return bus != null && bus.startsWith(device + "/");
  }

  private void add(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1);
    String shown = "device " + name + " (" + live.devices().get(path) + ")";
    Option device = live.device(path);
    for (Map.Entry<String, String> each : new TreeMap<>(BACK_ENDS).entrySet()) {
      String id = device.get(each.getKey());
      if (!id.isEmpty() && !isOnCommandLine(each.getValue(), id)) {
        Told told = live.backEnd(each.getValue(), id);
        Option option = told.option();
        if (option == null) {
          String kind = told.kind().isEmpty() ? "" : " (" + told.kind() + ")";
          refusals.add(
              new Refusal(
                  shown,
                  "it was plugged into the running machine, and QEMU does not tell what its "
                      + (each.getKey() + " " + id + kind)
                      + " was made of",
                  REMEDY));
        } else {
          come.add(option);
        }
      }
    }
    come.add(device);
  }

  private boolean isOnCommandLine(String option, String id) {
    List<String> names = option.equals("drive") ? List.of("drive", "blockdev") : List.of(option);
    return line.options().stream()
        .anyMatch(each -> names.contains(each.name()) && each.id().equals(id));
  }

  /**
   * The options whose parts are still there. If some are gone the others would move up: they are
   * told their places.
   */
  private List<Option> left() {
    List<Option> left = new ArrayList<>(line.options());
    left.removeIf(option -> !live.has(option));
    if (left.size() < line.options().size()) {
      Map<String, Deque<String>> nameless = nameless();
      left.replaceAll(option -> option.name().equals("device") ? placed(option, nameless) : option);
    }
    return left;
  }

  /** The paths of devices without an id that were there from the start, by their type. */
  private Map<String, Deque<String>> nameless() {
    Map<String, Deque<String>> found = new TreeMap<>();
    live.devices()
        .forEach(
            (path, type) -> {
              if (path.startsWith(Qom.ANONYMOUS + "/") && !live.isHotPlugged(path)) {
                found.computeIfAbsent(type, none -> new ArrayDeque<>()).add(path);
              }
            });
    return found;
  }

  private Option placed(Option device, Map<String, Deque<String>> nameless) {
    String id = device.get("id");
    Deque<String> alike = nameless.getOrDefault(device.first("driver"), new ArrayDeque<>());
    String path = id.isEmpty() ? alike.poll() : Qom.PERIPHERAL + "/" + id;
    return path == null
        ? device
        : LiveMachine.placed(
            device, live.device(path), OptionJson.is(device.text()) ? LiveMachine.PLACES : PLACES);
  }

  private boolean hasOtherUserNetworks() {
    Set<String> before = new TreeSet<>();
    for (Option option : line.all("netdev")) {
      if (NewCommandLine.isUserNetwork(option)) {
        before.add(option.get("id"));
      }
    }
    // Those of -nic and -net do not come and go.
    Set<String> now = new TreeSet<>(live.userNetworks());
    now.removeIf(
        id -> !before.contains(id) && come.stream().noneMatch(each -> each.get("id").equals(id)));
    return !before.equals(now);
  }
}
