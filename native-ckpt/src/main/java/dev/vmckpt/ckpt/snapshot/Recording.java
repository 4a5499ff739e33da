// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.memory.AddressSpacePlan;
import dev.vmckpt.ckpt.memory.PagesWriter;
import dev.vmckpt.ckpt.trace.ForkedChild;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.spi.image.ClocksImage;
import dev.vmckpt.spi.image.CredentialsImage;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.FsImage;
import dev.vmckpt.spi.image.LayoutImage;
import dev.vmckpt.spi.image.LimitImage;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.image.SignalsImage;
import dev.vmckpt.spi.image.ThreadImage;
import dev.vmckpt.spi.image.TimersImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What was read in a pause, and how it becomes a snapshot with what is written after it.
 *
 * @param child the split-off memory; null when memory was copied instead
 * @param whyNoFork why there is no child, or empty
 * @param created when the target was frozen, ISO-8601 in UTC
 * @param pauseMicros first thread stopped to last thread running, in microseconds
 * @param vdso the target's vDSO
 * @param copiedInPause bytes of disks and shared memory that had to be copied in the pause
 */
record Recording(
    @Nullable ForkedChild child,
    String whyNoFork,
    String created,
    long pauseMicros,
    ClocksImage clocks,
    TimersImage timers,
    SignalsImage signals,
    CredentialsImage credentials,
    List<LimitImage> limits,
    LayoutImage layout,
    int umask,
    List<ThreadImage> threads,
    List<OpenFileImage> files,
    byte[] vdso,
    long copiedInPause) {

  Recording timed(String when, long micros) {
    return new Recording(
        child,
        whyNoFork,
        when,
        micros,
        clocks,
        timers,
        signals,
        credentials,
        limits,
        layout,
        umask,
        threads,
        files,
        vdso,
        copiedInPause);
  }

  /** Puts together what was read and written; the target runs. */
  Captured complete(Plan plan, PagesWriter writer, List<String> notes) throws IOException {
    Map<String, FileEntry> written = new LinkedHashMap<>();
    Map<Integer, Integer> fileIds = new HashMap<>();
    for (OpenFileImage file : files()) {
      fileIds.put(file.descriptors().get(0).number(), file.id());
    }
    AddressSpacePlan memory = plan.memory();
    MemoryImage image =
        new MemoryImage(
            writer.pagesFile(),
            layout(),
            new RemoteAddress(
                memory.kernelAreas().isEmpty() ? 0 : memory.kernelAreas().get(0).start()),
            new RemoteAddress(
                memory.kernelAreas().isEmpty()
                    ? 0
                    : memory.kernelAreas().get(memory.kernelAreas().size() - 1).end()),
            writer.finish(memory, fileIds, written));
    ProcessImage process =
        new ProcessImage(
            plan.innerPid(),
            plan.status().name(),
            plan.commandLine(),
            image,
            threads(),
            signals(),
            timers(),
            clocks(),
            credentials(),
            limits(),
            new FsImage(plan.workingDirectory(), plan.root(), umask()),
            files());
    boolean stop = child() == null;
    CaptureFacts capture =
        new CaptureFacts(
            stop ? CaptureFacts.Method.STOP : CaptureFacts.Method.FORK,
            whyNoFork(),
            pauseMicros(),
            writer.dataBytes(),
            copiedInPause() + (stop ? writer.dataBytes() - writer.copiedShared() : 0));
    Path parent = memory.parentFolder();
    Path parentName = parent == null ? null : parent.getFileName();
    return new Captured(
        parentName == null ? null : parentName.toString(),
        created(),
        Hosts.facts(threads().get(0).xstate(), vdso(), image),
        capture,
        List.of(process),
        written,
        List.copyOf(notes));
  }
}
