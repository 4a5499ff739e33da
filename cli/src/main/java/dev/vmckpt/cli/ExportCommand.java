// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.memory.SavedMemory;
import dev.vmckpt.guest.ElfCore;
import dev.vmckpt.guest.GuestMemory;
import dev.vmckpt.guest.GuestRange;
import dev.vmckpt.guest.Mapping;
import dev.vmckpt.guest.NewFile;
import dev.vmckpt.guest.PageTables;
import dev.vmckpt.guest.SavedGuest;
import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.guest.VcpuState;
import dev.vmckpt.store.Store;
import dev.vmckpt.store.Stored;
import dev.vmckpt.store.Work;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code vmckpt export}. */
@Command(
    name = "export",
    description = "Writes the virtual machine inside a snapshot as an ELF core, for a debugger.",
    footer = {
      "",
      "Example:",
      "  vmckpt export web --core web.core",
      "  vmckpt export web --core web.core --virtual && gdb vmlinux web.core"
    })
final class ExportCommand extends AbstractCommand {
  @Parameters(
      paramLabel = "ID",
      description = "A snapshot: its id, the beginning of its id, or its name.")
  String word = "";

  @Option(
      names = "--core",
      required = true,
      paramLabel = "FILE",
      description = "Where to write the core. Readable by its owner only: it holds all secrets.")
  Path core = Path.of("");

  @Option(
      names = "--virtual",
      description =
          "Memory by its virtual addresses, as the page tables of the first vcpu map it, instead of"
              + " by its physical ones.")
  boolean virtual;

  @Option(names = "--force", description = "Replace FILE if it is there.")
  boolean force;

  ExportCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    Store store = store();
    Stored stored = store.find(word);
    SavedGuest guest = only(stored);
    // As long as we read it, nobody removes it.
    Work held = store.work(stored);
    try (held;
        TerminalProgress progress = new TerminalProgress(session);
        NewFile file = NewFile.create(core, force)) {
      store.check(stored, progress);
      try (SavedMemory saved =
          new SavedMemory(stored.folder(), guest.process().memory(), guest.process().files())) {
        GuestMemory memory = new GuestMemory(guest.image(), saved);
        List<Refusal> obstacles = memory.obstacles();
        RefusedException.throwIfAny("export of " + stored.title(), obstacles);
        ElfCore elf = new ElfCore(guest.image().vcpus(), memory, ranges(guest, memory));
        long written = elf.write(file.channel(), progress);
        long bytes = file.channel().size();
        progress.begin("making it durable", -1);
        file.commit();
        report(stored, guest, memory, elf, bytes, written);
      }
    } catch (IOException e) {
      throw NewFile.failure(core, e);
    }
    return ExitCode.DONE.code();
  }

  private static SavedGuest only(Stored stored) {
    List<SavedGuest> guests = GuestView.guests(stored);
    SavedGuest guest = guests.get(0);
    if (guests.size() > 1) {
      throw new UsageException(
          "snapshot " + stored.title() + " holds " + guests.size() + " guests; export takes one");
    }
    if (guest.image().vcpus().isEmpty()) {
      throw new UsageException("the guest of " + stored.title() + " has no vcpu: there is no core");
    }
    return guest;
  }

  private List<Mapping> ranges(SavedGuest guest, GuestMemory memory) {
    if (virtual) {
      VcpuState first = guest.image().vcpus().get(0);
      List<Mapping> mappings = PageTables.of(first, memory);
      if (mappings.isEmpty()) {
        throw new UsageException(
            "the page tables of vcpu "
                + first.id()
                + " map nothing; leave --virtual out for the physical memory");
      }
      return mappings;
    }
    List<Mapping> ranges = new ArrayList<>();
    for (GuestRange range : memory.present()) {
      ranges.add(
          new Mapping(
              range.gpa(),
              range.gpa(),
              range.bytes(),
              Mapping.READ | Mapping.WRITE | Mapping.EXECUTE));
    }
    return ranges;
  }

  private void report(
      Stored stored, SavedGuest guest, GuestMemory memory, ElfCore elf, long bytes, long written) {
    List<String> notes = new ArrayList<>();
    for (GuestRange range : memory.absent()) {
      notes.add(
          "0x"
              + Long.toHexString(range.gpa())
              + "-0x"
              + Long.toHexString(range.end() - 1)
              + " is left out: the process had no memory there");
    }
    notes(notes);
    print(
        new Fields()
            .put("snapshot", stored.id())
            .put("name", stored.manifest().name())
            .put("core", core.toAbsolutePath().toString())
            .put("virtual", virtual)
            .put("vcpus", guest.image().vcpus().size())
            .put("ranges", elf.ranges())
            .put("memoryBytes", elf.memoryBytes())
            .put("writtenBytes", written)
            .put("fileBytes", bytes)
            .put("notes", notes),
        core
            + "  "
            + Humans.count(guest.image().vcpus().size(), "vcpu")
            + ", "
            + Humans.bytes(elf.memoryBytes())
            + (virtual ? " in " + Humans.count(elf.ranges(), "virtual range") : "")
            + ", "
            + Humans.bytes(written)
            + " of it not zero");
  }
}
