// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.restore;

import dev.vmckpt.ckpt.RestoreRequest;
import dev.vmckpt.ckpt.memory.AreaRestorer;
import dev.vmckpt.ckpt.memory.PageScan;
import dev.vmckpt.ckpt.objects.HuskFiles;
import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.snapshot.AdapterSet;
import dev.vmckpt.ckpt.snapshot.Hosts;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.HostFacts;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** What is looked at before anything is built: whether this machine can run what was saved. */
final class Preflight {
  private Preflight() {}

  /**
   * @param builder whose first process has been started
   * @param parkFrom higher than any wanted number of a descriptor
   * @param notes is added to: what will come back otherwise
   * @throws RefusedException naming everything that stands in the way
   */
  static void check(
      RestoreRequest request,
      HuskBuilder builder,
      AdapterSet adapters,
      int parkFrom,
      List<String> notes) {
    Manifest manifest = request.manifest();
    List<Refusal> refusals = new ArrayList<>(ofHost(manifest, builder.xstate()));
    Context context = new Context(builder.first(), request.reattach(), parkFrom, notes);
    for (ProcessImage process : manifest.processes()) {
      refusals.addAll(AreaRestorer.missingFiles(process.memory()));
      Connections.of(process.files(), adapters)
          .forEach(
              (name, recorded) ->
                  refusals.addAll(
                      Objects.requireNonNull(adapters.byName(name)).preflight(recorded, context)));
    }
    RefusedException.throwIfAny("restore of " + manifest.id(), refusals);
  }

  private record Context(
      RemoteTask process, Map<String, String> reattach, int parkFrom, List<String> notes)
      implements PreflightContext {
    @Override
    public RemoteFd keep(RemoteFd fd) {
      return HuskFiles.park(process, fd, parkFrom);
    }

    @Override
    public void note(String message) {
      notes.add(message);
    }
  }

  private static List<Refusal> ofHost(Manifest manifest, byte[] xstate) {
    List<Refusal> refusals = new ArrayList<>();
    HostFacts saved = manifest.host();
    if (manifest.processes().size() != 1) {
      refusals.add(
          new Refusal(
              "the snapshot",
              "it holds " + manifest.processes().size() + " processes, this version restores one",
              "use a newer vmckpt"));
    }
    if (saved.pageSize() != PageScan.PAGE) {
      refusals.add(
          new Refusal(
              "the page size", "it was " + saved.pageSize() + " bytes", "use such a machine"));
    }
    byte[] vdso = ownVdso();
    if (saved.vdsoBytes() != 0 && Hosts.digest(vdso) != saved.vdsoDigest()) {
      refusals.add(
          new Refusal(
              "the kernel",
              "the process calls into the vDSO of kernel "
                  + saved.kernel()
                  + ", and that of "
                  + Hosts.kernel()
                  + " differs",
              "boot kernel " + saved.kernel()));
    }
    long missing = saved.xstateFeatures() & ~Hosts.xfeatures(xstate);
    if (missing != 0 || saved.xstateBytes() != xstate.length) {
      refusals.add(
          new Refusal(
              "the processor",
              "the saved extended state has components 0x"
                  + Long.toHexString(saved.xstateFeatures())
                  + " in "
                  + saved.xstateBytes()
                  + " bytes, this one has 0x"
                  + Long.toHexString(Hosts.xfeatures(xstate))
                  + " in "
                  + xstate.length,
              "use a processor with the same vector extensions"));
    }
    return refusals;
  }

  private static byte[] ownVdso() {
    int self = (int) ProcessHandle.current().pid();
    for (ProcArea area : MapsParser.parse(ProcFs.read(Path.of("/proc/self/maps")))) {
      if (area.path().equals("[vdso]")) {
        try (ProcessMemory memory = new ProcessMemory(self)) {
          return memory.read(new RemoteAddress(area.start()), (int) area.length());
        }
      }
    }
    return new byte[0];
  }
}
