// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.kit.Commands;
import dev.vmckpt.spi.guest.Activity;
import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.DescriptorTable;
import dev.vmckpt.spi.guest.GeneralRegisters;
import dev.vmckpt.spi.guest.Msr;
import dev.vmckpt.spi.guest.Segment;
import dev.vmckpt.spi.guest.SegmentRegisters;
import dev.vmckpt.spi.guest.VcpuState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The notes of a core are laid out as the system's headers and a real QEMU have them. */
class CoreNotesTest {
  private static final int QEMU_RDX = 32;
  private static final int PT_NOTE = 4;

  @TempDir Path folder = Path.of("/nonexistent");

  /** The notes in some bytes: their names and types with their contents, in their order. */
  private static List<Map.Entry<String, byte[]>> notes(byte[] bytes) {
    ByteBuffer notes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    List<Map.Entry<String, byte[]>> found = new ArrayList<>();
    while (notes.hasRemaining()) {
      byte[] name = new byte[notes.getInt()];
      byte[] content = new byte[notes.getInt()];
      int type = notes.getInt();
      notes.get(name).position((notes.position() + 3) & ~3);
      notes.get(content).position((notes.position() + 3) & ~3);
      String text = new String(name, 0, name.length - 1, StandardCharsets.US_ASCII);
      found.add(Map.entry(text + " " + type, content));
    }
    return found;
  }

  @Test
  void aProcessorIsWhatQemuWritesOfOne() throws Exception {
    Path dump = folder.resolve("qemu.dump");
    dumpOfQemu(dump);
    List<byte[]> theirs = new ArrayList<>();
    for (Map.Entry<String, byte[]> note : notes(notesOf(dump))) {
      if (note.getKey().equals("QEMU 0")) {
        theirs.add(note.getValue());
      }
    }
    assertThat(theirs).hasSize(2);
    // RDX after a reset says what kind of processor it is.
    long rdx = ByteBuffer.wrap(theirs.get(0)).order(ByteOrder.LITTLE_ENDIAN).getLong(QEMU_RDX);
    List<Map.Entry<String, byte[]>> ours = notes(CoreNotes.of(List.of(afterReset(rdx))));
    assertThat(ours.get(1).getKey()).isEqualTo("QEMU 0");
    assertThat(ours.get(1).getValue()).isEqualTo(theirs.get(0));
  }

  @Test
  void everyRegisterHasItsPlace() {
    VcpuState reset = afterReset(0);
    long[] r = new long[18];
    Arrays.setAll(r, i -> 0x100 + i);
    VcpuState vcpu =
        new VcpuState(
            3,
            Activity.RUNNING,
            new GeneralRegisters(
                r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12],
                r[13], r[14], r[15], r[16], r[17]),
            reset.segments(),
            new DescriptorTable(0x5000, 0x7f),
            new DescriptorTable(0x6000, 0xfff),
            new ControlRegisters(1, 2, 3, 4, 5, 6, 7, List.of()),
            null,
            0,
            null,
            null,
            List.of(new Msr(0xc0000102L, 0x9999)),
            List.of(),
            null,
            0);
    List<Map.Entry<String, byte[]>> notes = notes(CoreNotes.of(List.of(vcpu)));
    assertThat(notes).extracting(Map.Entry::getKey).containsExactly("CORE 1", "QEMU 0");
    ByteBuffer qemu = ByteBuffer.wrap(notes.get(1).getValue()).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 18; i++) {
      assertThat(qemu.getLong(8 + 8 * i)).isEqualTo(r[i]);
    }
    assertThat(qemu.getLong(344 + 16)).isEqualTo(0x5000);
    assertThat(qemu.getInt(368 + 4)).isEqualTo(0xfff);
    assertThat(qemu.getLong(392)).isEqualTo(1);
    assertThat(qemu.getLong(408)).isEqualTo(2);
    assertThat(qemu.getLong(416)).isEqualTo(3);
    assertThat(qemu.getLong(424)).isEqualTo(4);
    assertThat(qemu.getLong(432)).isEqualTo(0x9999);
    ByteBuffer status = ByteBuffer.wrap(notes.get(0).getValue()).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(status.getInt(CoreNotes.PRSTATUS_PID)).isEqualTo(4);
    Map<String, Long> places = new LinkedHashMap<>();
    String[] names = {
      "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12",
      "r13", "r14", "r15", "rip", "eflags"
    };
    // The places that RegistersTest and HeadersTest hold against the system's headers.
    int[] offsets = {80, 40, 88, 96, 104, 112, 152, 32, 72, 64, 56, 48, 24, 16, 8, 0, 128, 144};
    for (int i = 0; i < names.length; i++) {
      places.put(names[i], status.getLong(CoreNotes.PRSTATUS_REGISTERS + offsets[i]));
    }
    assertThat(places.values()).containsExactlyElementsOf(Arrays.stream(r).boxed().toList());
    assertThat(status.getLong(CoreNotes.PRSTATUS_REGISTERS + 136)).isEqualTo(0xf000);
  }

  @Test
  void theStatusOfAThreadHasTheLayoutOfTheHeaders() throws Exception {
    Path source = folder.resolve("prstatus.c");
    Path program = folder.resolve("prstatus");
    Files.writeString(
        source,
        """
        #include <elf.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <sys/procfs.h>
        #include <sys/user.h>
        int main(void) {
          printf("%d %d %d %d %d %d %d %d", (int) sizeof(struct elf_prstatus),
                 (int) offsetof(struct elf_prstatus, pr_pid),
                 (int) offsetof(struct elf_prstatus, pr_reg),
                 (int) offsetof(struct elf_prstatus, pr_fpvalid),
                 (int) sizeof(struct user_fpregs_struct), NT_PRSTATUS, NT_FPREGSET, NT_X86_XSTATE);
          return 0;
        }
        """);
    Commands.execute("gcc", "-o", program.toString(), source.toString());
    assertThat(Commands.execute(program.toString()))
        .isEqualTo(
            CoreNotes.PRSTATUS_BYTES
                + " "
                + CoreNotes.PRSTATUS_PID
                + " "
                + CoreNotes.PRSTATUS_REGISTERS
                + " "
                + (CoreNotes.PRSTATUS_BYTES - 8)
                + " "
                + CoreNotes.FXSAVE_BYTES
                + " "
                + CoreNotes.NT_PRSTATUS
                + " "
                + CoreNotes.NT_FPREGSET
                + " "
                + CoreNotes.NT_X86_XSTATE);
  }

  /** A processor after its reset (Intel SDM volume 3, table 10-1), as QEMU has it. */
  private static VcpuState afterReset(long rdx) {
    Segment data = segment(0, 0, 3, true);
    return new VcpuState(
        0,
        Activity.RUNNING,
        new GeneralRegisters(0, 0, 0, rdx, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfff0, 2),
        new SegmentRegisters(
            segment(0xf000, 0xffff0000L, 11, true),
            data,
            data,
            data,
            data,
            data,
            segment(0, 0, 11, false),
            segment(0, 0, 2, false)),
        new DescriptorTable(0, 0xffff),
        new DescriptorTable(0, 0xffff),
        new ControlRegisters(0x60000010, 0, 0, 0, 0, 0, 1, List.of()),
        null,
        0xfee00900L,
        null,
        null,
        List.of(),
        List.of(),
        null,
        0);
  }

  private static Segment segment(int selector, long base, int type, boolean codeOrData) {
    return new Segment(
        selector, base, 0xffff, type, codeOrData, 0, true, false, false, false, false, false);
  }

  private static byte[] notesOf(Path core) throws IOException {
    byte[] bytes = Files.readAllBytes(core);
    ByteBuffer elf = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) elf.getLong(32);
    assertThat(elf.getInt(header)).isEqualTo(PT_NOTE);
    int from = (int) elf.getLong(header + 8);
    return Arrays.copyOfRange(bytes, from, from + (int) elf.getLong(header + 32));
  }

  /** A machine that has not begun to run, dumped by its own monitor. */
  private static void dumpOfQemu(Path to) throws Exception {
    Process qemu =
        new ProcessBuilder(
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-m",
                "2",
                "-smp",
                "2",
                "-nodefaults",
                "-display",
                "none",
                "-S",
                "-monitor",
                "stdio")
            .redirectErrorStream(true)
            .start();
    try {
      qemu.getOutputStream()
          .write(("dump-guest-memory " + to + "\nquit\n").getBytes(StandardCharsets.UTF_8));
      qemu.getOutputStream().close();
      String output = new String(qemu.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(qemu.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(to).as(output).exists();
    } finally {
      qemu.destroyForcibly();
    }
  }
}
