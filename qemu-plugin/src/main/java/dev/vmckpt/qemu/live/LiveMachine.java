// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The parts of a machine as its QEMU tells them: asked for once, when they are needed, and taken to
 * stay as they are.
 */
public final class LiveMachine {
  /**
   * What QEMU chooses for a device where the command line says nothing, and a guest knows it by:
   * text, in JSON too.
   */
  public static final List<String> PLACES = List.of("addr", "mac", "port");

  private final Qmp qmp;
  private final LiveDevices devices;
  private @Nullable Map<String, String> types;
  private @Nullable LiveNetworks networks;
  private @Nullable LiveChardevs chardevs;
  private @Nullable LiveObjects objects;
  private @Nullable LiveDisks disks;

  /**
   * @param qmp the monitor of its QEMU
   */
  public LiveMachine(Qmp qmp) {
    this.qmp = qmp;
    devices = new LiveDevices(qmp);
  }

  /**
   * What {@code -device} and {@code device_add} made: for the path of each its type, those without
   * an id in the order of their numbers.
   *
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not answer
   */
  public Map<String, String> devices() {
    Map<String, String> all = types;
    if (all == null) {
      all = new TreeMap<>(LiveMachine::compare);
      for (String folder : List.of(Qom.PERIPHERAL, Qom.ANONYMOUS)) {
        for (Map.Entry<String, String> each : Qom.children(qmp, folder).entrySet()) {
          all.put(folder + "/" + each.getKey(), each.getValue());
        }
      }
      types = all;
    }
    return all;
  }

  /** {@code device[9]} comes before {@code device[10]}. */
  private static int compare(String one, String other) {
    boolean numbered = one.startsWith(Qom.ANONYMOUS + "/") && other.startsWith(Qom.ANONYMOUS + "/");
    int length = numbered ? Integer.compare(one.length(), other.length()) : 0;
    return length == 0 ? one.compareTo(other) : length;
  }

  /** Whether a type of devices is one of processors, whose model is that of {@code -cpu}. */
  public static boolean isProcessor(String type) {
    return LiveDevices.isProcessor(type);
  }

  /** Whether a device came after the start of its QEMU. */
  public boolean isHotPlugged(String path) {
    return devices.isHotPlugged(path);
  }

  /** The path of the bus that a device sits on; empty if it sits on none. */
  public String bus(String path) {
    return devices.bus(path);
  }

  /** What would make a device, and place it where it is. */
  public Option device(String path) {
    return devices.read(path, devices().getOrDefault(path, ""));
  }

  /**
   * The same option of a device, told where QEMU has put it as far as it says nothing of that.
   *
   * @param device the option that made it
   * @param told what would make it as it is
   * @param keys of the places
   */
  public static Option placed(Option device, Option told, List<String> keys) {
    Option placed = device;
    for (String key : keys) {
      if (device.get(key).isEmpty() && !told.get(key).isEmpty()) {
        placed = placed.with(key, told.get(key));
      }
    }
    return placed;
  }

  /**
   * What would make what a device names.
   *
   * @param option {@code netdev}, {@code chardev}, {@code object} or {@code drive}; a disk may come
   *     as a {@code blockdev}
   */
  public Told backEnd(String option, String id) {
    return switch (option) {
      case "netdev" -> networks().read(id);
      case "chardev" -> chardevs().read(id);
      case "object" -> objects().read(id);
      case "drive" -> disks().read(id);
      default -> throw new IllegalArgumentException(option);
    };
  }

  /** Whether it has what an option made; true of options whose parts do not come and go. */
  public boolean has(Option option) {
    String id = option.id();
    return id.isEmpty()
        || switch (option.name()) {
          case "device" -> devices().containsKey(Qom.PERIPHERAL + "/" + id);
          case "netdev" -> networks().has(id);
          case "chardev" -> chardevs().has(id);
          case "object" -> objects().has(id);
          case "drive" -> disks().hasDrive(id);
          case "blockdev" -> disks().hasNode(id);
          default -> true;
        };
  }

  /** The ids of its user networks. */
  public List<String> userNetworks() {
    return networks().users();
  }

  private LiveNetworks networks() {
    LiveNetworks known = networks == null ? LiveNetworks.read(qmp) : networks;
    networks = known;
    return known;
  }

  private LiveChardevs chardevs() {
    LiveChardevs known = chardevs == null ? LiveChardevs.read(qmp) : chardevs;
    chardevs = known;
    return known;
  }

  private LiveObjects objects() {
    LiveObjects known = objects == null ? new LiveObjects(qmp) : objects;
    objects = known;
    return known;
  }

  private LiveDisks disks() {
    LiveDisks known = disks == null ? LiveDisks.read(qmp) : disks;
    disks = known;
    return known;
  }
}
