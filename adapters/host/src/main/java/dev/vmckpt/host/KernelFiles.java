// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.KernelFile;
import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/** Files and directories below /proc and /sys, which the kernel makes up as they are read. */
final class KernelFiles implements FileKind<KernelFile> {
  @Override
  public Class<KernelFile> stateType() {
    return KernelFile.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    String link = resource.link();
    if (!resource.stat().isRegular() && !resource.stat().isDirectory()) {
      return Optional.empty();
    }
    if (!link.startsWith("/proc/")
        && !link.startsWith("/sys/")
        && !link.equals("/proc")
        && !link.equals("/sys")) {
      return Optional.empty();
    }
    if (!resource.info().readOnly()) {
      return Optional.of(
          Claim.refused(
              "file of the kernel, open for writing",
              "what was set through it cannot be told from it",
              "leave it out: --drop " + resource.name()));
    }
    return Optional.of(Claim.carried("file of the kernel; opened again"));
  }

  @Override
  public boolean keepsContent() {
    return false;
  }

  @Override
  public KernelFile record(PlannedFile file, OpenState open) {
    String path = file.resource().link();
    String own = "/proc/" + file.resource().pid();
    if (path.equals(own) || path.startsWith(own + "/")) {
      path = "/proc/self" + path.substring(own.length());
    }
    return new KernelFile(path, open);
  }

  @Override
  public String summary(KernelFile state) {
    return "file of the kernel " + state.path();
  }

  @Override
  public RemoteFd reattach(KernelFile state, HuskOpener husk) {
    return husk.open(state.path(), state.open());
  }
}
