// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.guest.SavedGuest;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.guest.GuestDevice;
import dev.vmckpt.spi.guest.MemoryRegion;
import dev.vmckpt.spi.guest.VcpuState;
import dev.vmckpt.store.Stored;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Help.Ansi;

/** What {@code vmckpt show ID --guest} prints. */
final class GuestView {
  private final Stored stored;
  private final List<SavedGuest> guests;
  private final Ansi colors;

  /**
   * @throws UsageException if the snapshot holds no guest
   */
  GuestView(Stored stored, Ansi colors) {
    this.stored = stored;
    this.colors = colors;
    guests = guests(stored);
  }

  /**
   * The guests of a snapshot, at least one.
   *
   * @throws UsageException if there is none
   */
  static List<SavedGuest> guests(Stored stored) {
    List<SavedGuest> guests = SavedGuest.of(stored.manifest());
    if (guests.isEmpty()) {
      throw new UsageException(
          "snapshot "
              + stored.title()
              + " holds no virtual machine that an adapter recorded; a guest that is emulated (TCG)"
              + " lies in the memory of its emulator");
    }
    return guests;
  }

  Fields fields() {
    List<Object> list = new ArrayList<>();
    for (SavedGuest guest : guests) {
      list.add(
          new Fields()
              .put("pid", guest.process().pid())
              .put("adapter", guest.adapter())
              .put("guest", guest.image())
              .map());
    }
    return new Fields()
        .put("snapshot", stored.id())
        .put("name", stored.manifest().name())
        .put("guests", list);
  }

  String text() {
    StringBuilder text = new StringBuilder();
    for (SavedGuest guest : guests) {
      if (text.length() > 0) {
        text.append('\n');
      }
      text.append("guest of ").append(guest.process().pid()).append(' ');
      text.append(Humans.plain(guest.process().name()));
      text.append(", recorded by ").append(guest.adapter()).append('\n');
      text.append(vcpus(guest)).append('\n').append(memory(guest));
      if (!guest.image().devices().isEmpty()) {
        text.append('\n').append(devices(guest));
      }
    }
    return text.toString();
  }

  private Table vcpus(SavedGuest guest) {
    Table table = new Table(colors, "VCPU", "MODE", "STATE", "RIP", "RSP", "CR3");
    for (VcpuState vcpu : guest.image().vcpus()) {
      table.row(
          Integer.toString(vcpu.id()),
          mode(vcpu),
          word(vcpu.activity()),
          hex(vcpu.registers().rip()),
          hex(vcpu.registers().rsp()),
          hex(vcpu.control().cr3()));
    }
    return table;
  }

  private static String mode(VcpuState vcpu) {
    boolean smm = vcpu.events() != null && vcpu.events().smm();
    return word(vcpu.mode())
        + (vcpu.mode() == VcpuState.Mode.REAL ? "" : " ring " + vcpu.ring())
        + (smm ? " (SMM)" : "");
  }

  private Table memory(SavedGuest guest) {
    Table table = new Table(colors, "GPA", "SIZE", "FLAGS", "HVA", "KNOWN");
    for (MemoryRegion region : guest.image().memory()) {
      table.row(
          hex(region.gpa()) + "-" + hex(region.end() - 1),
          Humans.bytes(region.bytes()),
          flags(region),
          region.hva().toString(),
          word(region.source()));
    }
    return table;
  }

  private static String flags(MemoryRegion region) {
    List<String> flags = new ArrayList<>();
    if (region.readOnly()) {
      flags.add("readonly");
    }
    if (region.dirtyLogged()) {
      flags.add("dirty-log");
    }
    if (region.addressSpace() != 0) {
      flags.add("smm");
    }
    return flags.isEmpty() ? "-" : String.join(",", flags);
  }

  private Table devices(SavedGuest guest) {
    Table table = new Table(colors, "DEVICE", "WHAT");
    for (GuestDevice device : guest.image().devices()) {
      if (device instanceof GuestDevice.Pic pic) {
        table.row(
            pic.slave() ? "pic:1" : "pic:0",
            "vectors from 0x" + Integer.toHexString(pic.vectorBase()) + ", " + masks(pic));
      } else if (device instanceof GuestDevice.IoApic ioApic) {
        table.row(
            "ioapic",
            Humans.count(ioApic.redirections().size(), "line") + " at " + hex(ioApic.gpa()));
      } else if (device instanceof GuestDevice.Pit pit) {
        table.row("pit", "channel 0 counts from " + pit.channels().get(0).count());
      }
    }
    return table;
  }

  private static String masks(GuestDevice.Pic pic) {
    return "masked 0x"
        + Integer.toHexString(pic.masked())
        + ", requested 0x"
        + Integer.toHexString(pic.requested())
        + ", in service 0x"
        + Integer.toHexString(pic.inService());
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static String hex(long value) {
    return "0x" + Long.toHexString(value);
  }
}
