// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.qemu.machine.MachineImage;
import dev.vmckpt.qemu.machine.MachineRecorder;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code vmckpt show}. */
@Command(
    name = "show",
    description = "Shows what one snapshot holds.",
    footer = {"", "Example:", "  vmckpt show web", "  vmckpt show web --guest"})
final class ShowCommand extends AbstractCommand {
  @Parameters(
      paramLabel = "ID",
      description = "A snapshot: its id, the beginning of its id, or its name.")
  String word = "";

  @Option(
      names = "--guest",
      description =
          "Show the virtual machine inside: its vcpus and where its physical memory lies.")
  boolean guest;

  ShowCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    Stored stored = store().find(word);
    if (guest) {
      GuestView view = new GuestView(stored, session.outColors());
      print(view.fields(), view.text());
      return ExitCode.DONE.code();
    }
    print(fields(stored), text(stored));
    return ExitCode.DONE.code();
  }

  private static Fields fields(Stored stored) {
    Manifest manifest = stored.manifest();
    List<Object> processes = new ArrayList<>();
    for (ProcessImage process : manifest.processes()) {
      List<Object> descriptors = new ArrayList<>();
      for (OpenFileImage file : process.files()) {
        descriptors.add(
            new Fields()
                .put("fd", numbers(file))
                .put("kind", kind(file.object()))
                .put("summary", summary(file.object()))
                .map());
      }
      processes.add(
          new Fields()
              .put("pid", process.pid())
              .put("name", process.name())
              .put("commandLine", process.commandLine())
              .put("executable", process.memory().layout().executable().path())
              .put("workingDirectory", process.fs().workingDirectory())
              .put("threads", process.threads().size())
              .put("areas", process.memory().areas().size())
              .put("descriptors", descriptors)
              .map());
    }
    return new Fields()
        .put("snapshot", stored.id())
        .put("name", manifest.name())
        .put("tags", manifest.tags())
        .put("parent", manifest.parent())
        .put("created", manifest.created())
        .put("tool", manifest.tool())
        .put("folder", stored.folder().toString())
        .put("imageBytes", stored.imageBytes())
        .put("host", manifest.host())
        .put("capture", manifest.capture())
        .put("processes", processes)
        .put("machine", machine(stored))
        .put("screen", path(stored, "screen.png"))
        .put("console", console(stored))
        .put("files", manifest.files());
  }

  /** Where a file of the snapshot is; null if it has none of that name. */
  private static @Nullable String path(Stored stored, String name) {
    return stored.manifest().files().containsKey(name)
        ? stored.folder().resolve(name).toString()
        : null;
  }

  /** The last lines of the guest's console. */
  private static List<String> console(Stored stored) {
    String path = path(stored, "console.txt");
    try {
      return path == null ? List.of() : Files.readAllLines(Path.of(path));
    } catch (IOException e) {
      // 'vmckpt verify' says what is wrong with it.
      return List.of();
    }
  }

  /** What 'restore --on qemu' would start; null if the snapshot was taken without --machine. */
  private static @Nullable MachineImage machine(Stored stored) {
    return stored.manifest().files().containsKey(MachineImage.FILE)
        ? MachineRecorder.read(stored.folder())
        : null;
  }

  private static String words(MachineImage machine) {
    return machine.machine()
        + ", "
        + Humans.count(machine.cpus(), "processor")
        + " "
        + machine.cpu().type()
        + " under "
        + machine.accelerator()
        + ", QEMU "
        + machine.version()
        + "; restore --on qemu starts another";
  }

  private String text(Stored stored) {
    Manifest manifest = stored.manifest();
    CaptureFacts facts = manifest.capture();
    StringBuilder text = new StringBuilder();
    line(text, "snapshot", stored.id());
    line(text, "name", manifest.name() == null ? "-" : manifest.name());
    line(text, "tags", manifest.tags().isEmpty() ? "-" : String.join(" ", manifest.tags()));
    line(text, "parent", manifest.parent() == null ? "-" : manifest.parent());
    line(text, "created", Humans.time(manifest.created()) + " by vmckpt " + manifest.tool());
    line(text, "kernel", manifest.host().kernel());
    line(
        text,
        "capture",
        facts.method().name().toLowerCase(Locale.ROOT)
            + (facts.reason().isEmpty() ? "" : " (" + facts.reason() + ")")
            + ", pause "
            + Humans.micros(facts.pauseMicros()));
    line(
        text,
        "memory",
        Humans.bytes(facts.memoryBytes())
            + ", "
            + Humans.bytes(stored.imageBytes())
            + " on disk with everything");
    line(text, "folder", stored.folder().toString());
    MachineImage machine = machine(stored);
    if (machine != null) {
      line(text, "machine", words(machine));
    }
    String screen = path(stored, "screen.png");
    if (screen != null) {
      line(text, "screen", screen);
      if (session.outTerminal()) {
        text.append(Picture.in(session.environment(), Path.of(screen)));
      }
    }
    List<String> console = console(stored);
    for (int i = 0; i < console.size(); i++) {
      line(text, i == 0 ? "console" : "", console.get(i));
    }
    for (ProcessImage process : manifest.processes()) {
      text.append('\n');
      line(text, "process", process.pid() + " " + process.name());
      line(text, "command", String.join(" ", process.commandLine()));
      line(
          text,
          "holds",
          Humans.count(process.threads().size(), "thread")
              + ", "
              + Humans.count(process.memory().areas().size(), "area")
              + ", "
              + Humans.count(process.files().size(), "open file"));
      Table table = new Table(session.outColors(), "FD", "KIND", "WHAT");
      for (OpenFileImage file : process.files()) {
        table.row(numbers(file), kind(file.object()), summary(file.object()));
      }
      text.append(process.files().isEmpty() ? "" : table.toString());
    }
    text.append('\n');
    Table table = new Table(session.outColors(), "FILE", "LENGTH", "CRC32C");
    for (Map.Entry<String, FileEntry> file : manifest.files().entrySet()) {
      table.row(
          file.getKey(),
          Humans.bytes(file.getValue().bytes()),
          HexFormat.of().toHexDigits(file.getValue().crc32c()));
    }
    return text.append(table).toString();
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(name).append(" ".repeat(10 - name.length()));
    text.append(Humans.plain(value)).append('\n');
  }

  private static String numbers(OpenFileImage file) {
    StringBuilder text = new StringBuilder();
    for (OpenFileImage.Descriptor descriptor : file.descriptors()) {
      text.append(text.length() == 0 ? "" : ",").append(descriptor.number());
    }
    return text.toString();
  }

  private static String kind(DescriptorImage object) {
    if (object instanceof DescriptorImage.Connection connection) {
      return connection.adapter();
    }
    String name = object.getClass().getSimpleName();
    return Character.toLowerCase(name.charAt(0)) + name.substring(1);
  }

  private static String summary(DescriptorImage object) {
    if (object instanceof DescriptorImage.Connection connection) {
      return connection.summary();
    }
    if (object instanceof DescriptorImage.Dropped dropped) {
      return "left out; it was " + dropped.was();
    }
    if (object instanceof DescriptorImage.LostPeer lost) {
      return "was connected to " + lost.peer();
    }
    if (object instanceof DescriptorImage.CharDevice device) {
      return device.path();
    }
    if (object instanceof DescriptorImage.Fifo fifo) {
      return fifo.path();
    }
    if (object instanceof DescriptorImage.MemFd memory) {
      return memory.name() + ", " + Humans.bytes(memory.bytes());
    }
    if (object instanceof DescriptorImage.EventFd event) {
      return "count " + Long.toUnsignedString(event.count());
    }
    if (object instanceof DescriptorImage.Epoll epoll) {
      return "watches " + Humans.count(epoll.watches().size(), "descriptor");
    }
    if (object instanceof DescriptorImage.Socket socket) {
      return socket.listening() ? "listening" : "not connected";
    }
    return "";
  }
}
