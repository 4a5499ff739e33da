// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.BlockDevice;
import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Block devices: opened again if they are only read, refused if they are written. */
final class BlockDevices implements FileKind<BlockDevice> {
  @Override
  public Class<BlockDevice> stateType() {
    return BlockDevice.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    if (!resource.stat().isBlockDevice()) {
      return Optional.empty();
    }
    if (!resource.info().readOnly()) {
      return Optional.of(
          Claim.refused(
              "block device, open for writing",
              "what it holds cannot be kept",
              "keep it by other means and leave it out: --drop " + resource.name()));
    }
    return Optional.of(Claim.carried("block device that is only read; opened again"));
  }

  @Override
  public boolean keepsContent() {
    return false;
  }

  @Override
  public BlockDevice record(PlannedFile file, OpenState open) {
    return new BlockDevice(file.resource().link(), file.resource().stat().rdevice(), open);
  }

  @Override
  public String summary(BlockDevice state) {
    return "read-only block device " + state.path();
  }

  @Override
  public RemoteFd reattach(BlockDevice state, HuskOpener husk) {
    RemoteFd fd = husk.open(state.path(), state.open());
    if (device(Path.of(state.path())) != state.device()) {
      husk.note(state.path(), "is another device than in the snapshot");
    }
    return fd;
  }

  private static long device(Path path) {
    try {
      return Files.getAttribute(path, "unix:rdev") instanceof Long device
          ? FileId.split(device)
          : -1;
    } catch (IOException e) {
      return -1;
    }
  }
}
