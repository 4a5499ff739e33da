// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.restore;

import dev.vmckpt.ckpt.memory.AreaRestorer;
import dev.vmckpt.ckpt.memory.PageScan;
import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.snapshot.Hosts;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.HostFacts;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What is looked at before anything is built: whether this machine can run what was saved. */
final class Preflight {
  private Preflight() {}

  /**
   * @param xstate the extended state of any process here
   * @throws RefusedException naming everything that stands in the way
   */
  static void check(Manifest manifest, byte[] xstate) {
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
    for (ProcessImage process : manifest.processes()) {
      refusals.addAll(AreaRestorer.missingFiles(process.memory()));
    }
    if (!refusals.isEmpty()) {
      throw new RefusedException("restore of " + manifest.id(), refusals);
    }
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
