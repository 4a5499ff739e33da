// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vmckpt.qemu.live.LiveMachine;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.spi.error.Refusal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The command line of the new QEMU: the old one, with the machine's version pinned, the wanted
 * accelerator and processor, the new disks, and what belongs to the start of a process (daemons,
 * pid files, the terminal) left out. The new QEMU does not run until it is told to.
 */
final class NewCommandLine {
  /** Options of the old process and its start, not of its machine. */
  private static final Set<String> DROPPED =
      Set.of(
          "S",
          "incoming",
          "loadvm",
          "daemonize",
          "pidfile",
          "writeconfig",
          "enable-kvm",
          "no-kvm",
          "accel",
          "cpu",
          "h",
          "help",
          "version",
          "s",
          "enable-hax");

  /** Options whose whole value is the file of a disk. */
  private static final Set<String> DISKS =
      Set.of("hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "pflash", "sd", "mtdblock");

  private static final Set<String> LINES = Set.of("serial", "parallel", "debugcon");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final MachineImage image;
  private final MachineRequest request;
  private final List<Option> made = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final List<Refusal> refusals = new ArrayList<>();
  private int lines;
  private boolean otherUserNetworks;

  private NewCommandLine(MachineImage image, MachineRequest request) {
    this.image = image;
    this.request = request;
  }

  /**
   * What comes of it.
   *
   * @param options without the program and without a monitor of ours
   * @param accelerator it will run under
   * @param cpu the value of {@code -cpu}, or null for QEMU's own choice
   * @param otherUserNetworks whether it has other user networks than before: QEMU tells their
   *     states apart by their order alone
   * @param notes what will be different, for the user
   * @param refusals what keeps it from being started
   */
  record Result(
      List<Option> options,
      String accelerator,
      @Nullable String cpu,
      boolean otherUserNetworks,
      List<String> notes,
      List<Refusal> refusals) {}

  static Result of(MachineImage image, MachineRequest request) {
    return new NewCommandLine(image, request).make();
  }

  private Result make() {
    CommandLine old = image.line();
    refusals.addAll(ForeignOptions.refusals(old));
    String accelerator =
        request.accelerator() == null ? image.accelerator() : request.accelerator();
    unknown("netdev", request.networks().keySet(), old);
    unknown("chardev", request.chardevs().keySet(), old);
    boolean same = accelerator.equals(image.accelerator());
    String cpu = request.cpu() == null ? last(old, "cpu") : request.cpu();
    String accelValue = last(old, "accel");
    boolean keepAccel = same && accelValue != null && accelValue.startsWith(accelerator);
    if (image.later() != null && image.later().otherUserNetworks()) {
      otherUserNetworks = true;
      notes.add(
          "user networks came or went after its start: they begin anew, with the forwarded ports"
              + " and without leases, and with what else they have by themselves");
    }
    for (Option option : old.options()) {
      if (!DROPPED.contains(option.name())) {
        rewrite(option);
      }
    }
    // Later ones of the same name add to those before: the type is pinned, the rest stays.
    made.add(new Option("machine", "type=" + image.machine()));
    made.add(new Option("accel", keepAccel && accelValue != null ? accelValue : accelerator));
    if (cpu != null) {
      made.add(new Option("cpu", cpu));
    }
    if (accelerator.equals(Accelerators.TCG)
        && cpu != null
        && cpu.split(",", -1)[0].equals("host")) {
      refusals.add(
          new Refusal("-cpu " + cpu, "only KVM has it", "name a model of QEMU's with --cpu"));
    }
    return new Result(List.copyOf(made), accelerator, cpu, otherUserNetworks, notes, refusals);
  }

  /** What is to be something else has to be there. */
  private void unknown(String kind, Set<String> wished, CommandLine old) {
    Set<String> unknown = new TreeSet<>(wished);
    Set<String> known = new TreeSet<>();
    for (Option option : old.options()) {
      String id = option.get("id");
      if (option.name().equals(kind) && !id.isEmpty()) {
        known.add(id);
      }
    }
    unknown.removeAll(known);
    for (String id : unknown) {
      refusals.add(
          new Refusal(
              kind + ":" + id,
              "the machine has no -" + kind + " of that id",
              known.isEmpty() ? "leave it out" : "it has " + String.join(", ", known)));
    }
  }

  private static @Nullable String last(CommandLine line, String name) {
    String found = null;
    for (Option option : line.options()) {
      if (option.name().equals(name)) {
        found = option.value();
      }
    }
    return found;
  }

  private void rewrite(Option option) {
    String name = option.name();
    OptionValue value = option.keys();
    if (isOurs(name, value)) {
      return;
    }
    if (name.equals("machine")) {
      OptionValue rest = value.without("accel").without("type").without("");
      if (!rest.entries().isEmpty()) {
        made.add(option.with(rest.toString()));
      }
    } else if (name.equals("nographic")) {
      made.add(new Option("display", "none"));
      made.add(new Option("serial", "null"));
      made.add(new Option("monitor", "none"));
      notes.add("-nographic: it has no terminal; the serial line goes nowhere");
    } else if (DISKS.contains(name)) {
      made.add(option.with(replaced(option.text())));
    } else if (name.equals("drive") || name.equals("blockdev")) {
      made.add(option.with(disk(option.text())));
    } else if (LINES.contains(name)) {
      line(option);
    } else if (name.equals("chardev")) {
      made.add(option.with(chardev(value)));
    } else if (name.equals("device")) {
      made.add(processor(option));
    } else if (name.equals("netdev")) {
      made.add(option.with(network(option)));
    } else if (name.equals("monitor") || name.equals("qmp") || name.equals("qmp-pretty")) {
      monitor(option);
    } else {
      made.add(option);
    }
  }

  /** One that came later is of the model that all have now; any other device is as it was. */
  private Option processor(Option device) {
    String type = device.first("driver");
    String wanted = request.cpu();
    if (wanted == null || !LiveMachine.isProcessor(type)) {
      return device;
    }
    String kind = type.substring(type.lastIndexOf('-', type.lastIndexOf('-') - 1));
    return device.with(
        device.keys().without("").with("driver", wanted.split(",", -1)[0] + kind).toString());
  }

  /** The monitor that an earlier start of ours had. */
  private static boolean isOurs(String name, OptionValue value) {
    return (name.equals("chardev") && QemuProcess.MONITOR.equals(value.get("id")))
        || (name.equals("mon") && QemuProcess.MONITOR.equals(value.get("chardev")));
  }

  private String network(Option option) {
    String id = option.get("id");
    String other = id.isEmpty() ? null : request.networks().get(id);
    if (other == null) {
      return option.text();
    }
    if (isUserNetwork(option) != isUserNetwork(option.with(other))) {
      otherUserNetworks = true;
      notes.add(
          "-netdev " + option.text() + ": user networks begin anew, their leases are forgotten");
    }
    return other + ",id=" + id;
  }

  static boolean isUserNetwork(Option option) {
    return option.first("type").equals("user");
  }

  private String disk(String text) {
    if (text.startsWith("{")) {
      try {
        JsonNode tree = JSON.readTree(text);
        replaceIn(tree);
        return JSON.writeValueAsString(tree);
      } catch (JsonProcessingException e) {
        refusals.add(new Refusal("-blockdev " + text, "it is no JSON", "correct it"));
        return text;
      }
    }
    OptionValue value = OptionValue.parse(text, false);
    for (String key : List.of("file", "filename", "file.filename", "file.file.filename")) {
      String path = value.get(key);
      if (path != null) {
        value = value.with(key, replaced(path));
      }
    }
    return value.toString();
  }

  private void replaceIn(JsonNode tree) {
    if (tree instanceof ObjectNode object) {
      JsonNode path = object.get("filename");
      if (path != null && path.isTextual()) {
        object.put("filename", replaced(path.asText()));
      }
    }
    for (JsonNode child : tree) {
      replaceIn(child);
    }
  }

  /** The new file of a disk, by its name as it is written or by where that leads. */
  private String replaced(String path) {
    Path other = Drives.replacement(image, request.files(), path);
    return other == null ? path : other.toString();
  }

  /** A line that is a file goes on at its end; QEMU would begin it anew. */
  private void line(Option option) {
    String text = option.text();
    if (text.startsWith("file:")) {
      String id = "vmckpt-line" + lines++;
      String path = text.substring("file:".length());
      made.add(
          new Option(
              "chardev", "file,id=" + id + ",path=" + path.replace(",", ",,") + ",append=on"));
      made.add(option.with("chardev:" + id));
    } else if (isTerminal(text)) {
      notes.add("-" + option.name() + " " + text + ": it has no terminal; what comes goes nowhere");
      made.add(option.with("null"));
    } else {
      SocketLine socket = SocketLine.ofLine(text);
      if (socket != null && isServed(socket)) {
        refusals.add(
            taken("-" + option.name() + " " + text, "begin the machine with it as a -chardev"));
      }
      made.add(socket == null ? option : option.with(socket.line()));
    }
  }

  private static boolean isTerminal(String text) {
    return text.equals("stdio") || text.equals("mon:stdio") || text.equals("msmouse");
  }

  private boolean isServed(SocketLine socket) {
    return socket.isServed(Path.of(image.workingFolder()));
  }

  private static Refusal taken(String what, String remedy) {
    return new Refusal(what, "another process listens there", "end that one, or " + remedy);
  }

  private String chardev(OptionValue value) {
    String id = value.text("id");
    String other = id.isEmpty() ? null : request.chardevs().get(id);
    if (other != null) {
      return chosen(id, OptionValue.parse(other, true));
    }
    String kind = value.first("backend");
    if (kind.equals("stdio")) {
      notes.add("-chardev " + value + ": it has no terminal; what comes goes nowhere");
      return "null,id=" + id;
    }
    SocketLine socket = SocketLine.ofChardev(value);
    if (socket != null && isServed(socket)) {
      refusals.add(taken("-chardev " + value, "give chardev:" + id + " something else"));
    }
    OptionValue made = socket == null ? value : socket.value();
    if (kind.equals("file")) {
      made = made.with("append", "on");
    }
    return (value.get("logfile") == null ? made : made.with("logappend", "on")).toString();
  }

  /** What the user wants for one is taken as it is, but a QEMU that waits would not start. */
  private String chosen(String id, OptionValue other) {
    if (other.first("backend").equals("stdio")) {
      refusals.add(
          new Refusal(
              "chardev:" + id + "=" + other,
              "the new QEMU has no terminal",
              "give it a file, a socket or null"));
    }
    SocketLine socket = SocketLine.ofChardev(other);
    if (socket != null && isServed(socket)) {
      refusals.add(taken("chardev:" + id + "=" + other, "give it another path"));
    }
    return (socket == null ? other : socket.value()).with("id", id).toString();
  }

  private void monitor(Option option) {
    String text = option.text();
    if (isTerminal(text)) {
      notes.add("-" + option.name() + " " + text + ": it has no terminal; there is none");
      made.add(new Option("monitor", "none"));
      return;
    }
    SocketLine socket = SocketLine.ofLine(text);
    if (socket != null && isServed(socket)) {
      // QEMU would remove the name and leave the other one without it.
      notes.add("-" + option.name() + " " + text + ": another process listens there; left out");
    } else {
      made.add(socket == null ? option : option.with(socket.line()));
    }
  }
}
