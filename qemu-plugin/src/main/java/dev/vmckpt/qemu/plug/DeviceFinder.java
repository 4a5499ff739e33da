// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import dev.vmckpt.qemu.live.LiveMachine;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.plug.Part.Kind;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Finds what a device was made of: by the command line of its QEMU, or by what QEMU tells of one
 * that came later, and of what the command line left to it (the slot, the hardware address).
 * Nothing is changed.
 */
public final class DeviceFinder {
  /** Which keys name another part, and of which kind. */
  private static final Map<String, Kind> REFERENCES =
      Map.of(
          "chardev", Kind.CHARDEV,
          "netdev", Kind.NETDEV,
          "rng", Kind.OBJECT,
          "cryptodev", Kind.OBJECT);

  private static final List<String> HANDED_OVER = List.of("fd", "fds", "vhostfd", "vhostfds");

  /**
   * Networks that stay where they are when their card goes: they are carried with the process, and
   * the host would lose what it has set up for them.
   */
  private static final Set<String> STAYING = Set.of("stream", "dgram", "hubport");

  private static final List<String> GIVEN_UP = List.of("runas", "chroot", "run-with");

  private static final String BY_HAND =
      "unplug it by hand for the snapshot: device_del, and device_add afterwards";

  private static final int IFF_PERSIST = 0x0800;

  private final int pid;
  private final Qmp qmp;
  private final CommandLine line;
  private final LiveMachine live;
  private final List<Refusal> refusals = new ArrayList<>();
  private String id = "";

  /**
   * @param pid the QEMU
   * @param qmp its monitor
   */
  public DeviceFinder(int pid, Qmp qmp) {
    this.pid = pid;
    this.qmp = qmp;
    line = CommandLine.of(pid);
    live = new LiveMachine(qmp);
  }

  /**
   * Finds devices.
   *
   * @param ids of the devices
   * @throws RefusedException naming every one that cannot be unplugged and plugged in again
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not answer
   */
  public List<PluggedDevice> find(Set<String> ids) {
    List<PluggedDevice> devices = new ArrayList<>();
    for (String each : ids) {
      id = each;
      PluggedDevice device = tryFind();
      if (device != null) {
        devices.add(device);
      }
    }
    RefusedException.throwIfAny(Unplugged.UNPLUGGING, refusals);
    return devices;
  }

  private @Nullable PluggedDevice tryFind() {
    Set<String> there = new TreeSet<>(Qom.children(qmp, Qom.PERIPHERAL).keySet());
    if (!there.contains(id)) {
      refuse(
          "the machine has no device of that id",
          there.isEmpty()
              ? "give it one: -device …,id=" + id
              : "it has " + String.join(", ", there));
      return null;
    }
    for (String given : GIVEN_UP) {
      if (!line.all(given).isEmpty()) {
        refuse("QEMU may not be able to plug it in again: it gave up rights by -" + given, BY_HAND);
        return null;
      }
    }
    Optional<PluggedDevice> noted = PlugMark.noted(qmp, id);
    if (noted.isPresent()) {
      return checked(noted.get());
    }
    Option told = live.device(path());
    Option option = tryOption("device", id);
    Option placed = option == null ? told : LiveMachine.placed(option, told, LiveMachine.PLACES);
    int before = refusals.size();
    Deque<Part> parts = new ArrayDeque<>();
    add(new Part(Kind.DEVICE, id, placed.text()), parts);
    return refusals.size() == before ? checked(new PluggedDevice(id, List.copyOf(parts))) : null;
  }

  private @Nullable PluggedDevice checked(PluggedDevice device) {
    int before = refusals.size();
    for (Part part : device.parts()) {
      check(part, option(part));
    }
    checkAlone();
    return refusals.size() == before ? device : null;
  }

  private static Option option(Part part) {
    return new Option(part.kind().name().toLowerCase(Locale.ROOT), part.options());
  }

  private String path() {
    return Qom.PERIPHERAL + "/" + id;
  }

  private void refuse(String why, String remedy) {
    refusals.add(new Refusal("device " + id, why, remedy));
  }

  private @Nullable Option tryOption(String name, String wanted) {
    Option found = null;
    for (Option option : line.all(name)) {
      if (option.get("id").equals(wanted)) {
        found = option;
      }
    }
    return found;
  }

  /** Adds a part, and before it those that it names. */
  private void add(Part part, Deque<Part> parts) {
    parts.addFirst(part);
    Option option = option(part);
    REFERENCES.forEach(
        (key, kind) -> {
          String other = option.get(key);
          if (!other.isEmpty() && !(part.kind() == kind)) {
            addBackEnd(kind, other, option, parts);
          }
        });
  }

  private void addBackEnd(Kind kind, String name, Option user, Deque<Part> parts) {
    String what = kind.name().toLowerCase(Locale.ROOT);
    String shown = "its " + what + " " + name;
    Option option = tryOption(what, name);
    if (option == null) {
      option = live.backEnd(what, name).option();
    }
    if (option == null) {
      refuse(
          shown + " is not on the command line, and QEMU does not tell what it was made of",
          BY_HAND);
      return;
    }
    if (kind == Kind.NETDEV && stays(option)) {
      return;
    }
    for (Option other : line.options()) {
      boolean same = other.name().equals(user.name()) && other.get("id").equals(user.get("id"));
      if (!same && (other.get(what).equals(name) || other.text().equals("chardev:" + name))) {
        refuse(
            shown + " serves another as well: -" + other.name() + " " + other.text(),
            "give each its own");
        return;
      }
    }
    add(new Part(kind, name, option.text()), parts);
  }

  /** What makes a part one that could not be made again. */
  private void check(Part part, Option option) {
    String shown = "-" + option.name() + " " + part.options();
    for (String key : HANDED_OVER) {
      if (!option.get(key).isEmpty()) {
        refuse(
            shown + " is made of a descriptor that its starter handed to it", "leave it plugged");
      }
    }
    if (part.options().length() > Part.LONGEST) {
      refuse("its options are longer than QEMU's monitor takes", "shorten them");
    }
    switch (part.kind()) {
      case DEVICE -> {
        if (!option.get("drive").isEmpty()) {
          refuse(
              "it is a disk, and what is on it belongs to the same instant as the guest's memory",
              "leave it plugged: disks are carried");
        }
        for (Option set : line.all("set")) {
          if (set.text().startsWith("device." + id + ".")) {
            refuse("-set " + set.text() + " changes it", "write that behind -device");
          }
        }
      }
      case CHARDEV -> checkCalled(option);
      default -> {
        // Nothing more.
      }
    }
  }

  /** A back end that is called has to be there for the next call. */
  private void checkCalled(Option chardev) {
    String shown = "its chardev " + chardev.get("id");
    if (!SocketChardev.is(chardev.keys()) || !SocketChardev.unknown(chardev.keys()).isEmpty()) {
      refuse(
          shown + " is of a kind that QEMU is not told to make again: " + chardev.text(), BY_HAND);
      return;
    }
    if (chardev.keys().isOn("server")) {
      refuse(
          shown + " is called by its back end, which QEMU would wait for with all of the guest",
          "have QEMU call the back end, without server=on");
      return;
    }
    String path = chardev.get("path");
    if (!path.isEmpty() && !Listener.isThere(pid, path)) {
      refuse(
          "nobody listens at " + path + " for its next call, so it could not be plugged in again",
          "have the starter of its back end hold that socket, or leave it out with --drop");
    }
  }

  /** Whether a network stays although its card goes. */
  private boolean stays(Option netdev) {
    String type = netdev.first("type");
    if (!type.equals("tap")) {
      return STAYING.contains(type);
    }
    String script = netdev.get("script");
    String name = netdev.get("ifname");
    boolean keeps = !script.equals("no") || isPersistent(name);
    boolean kernel = netdev.keys().isOn("vhost") || netdev.keys().isOn("vhostforce");
    if (!keeps && kernel) {
      refuse(
          "its tap device "
              + name
              + " would go with it, and with that its bridge and its addresses",
          "make one that stays (ip tuntap add " + name + " mode tap), or have QEMU run a script");
    }
    return !keeps;
  }

  /** As far as our /sys is of its network namespace. */
  private static boolean isPersistent(String name) {
    try {
      String flags = Files.readString(Path.of("/sys/class/net", name, "tun_flags")).strip();
      return (Integer.decode(flags) & IFF_PERSIST) != 0;
    } catch (IOException | NumberFormatException e) {
      return false;
    }
  }

  /** What sits on a device would go with it. */
  private void checkAlone() {
    for (String path : live.devices().keySet()) {
      if (live.bus(path).startsWith(path() + "/")) {
        refuse(path.substring(path.lastIndexOf('/') + 1) + " sits on it", "unplug that one");
      }
    }
  }
}
