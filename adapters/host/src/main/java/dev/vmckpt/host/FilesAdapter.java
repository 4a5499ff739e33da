// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Carries regular files, directories and block devices. */
public final class FilesAdapter implements Adapter {
  private static final String MEMFD = "/memfd:";

  private static final DiskFiles DISKS = new DiskFiles();
  private static final UnnamedFiles UNNAMED = new UnnamedFiles();

  /** All kinds; the first that recognises a file has it. */
  private static final List<FileKind<?>> KINDS =
      List.of(
          new KernelFiles(),
          UNNAMED,
          DISKS,
          new LogFiles(),
          new ReadOnlyFiles(),
          new Directories(),
          new BlockDevices());

  @Override
  public String name() {
    return "files";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries("file that is only read", "opened again where it stands", false),
        new Carries(
            "file that is only written (a log)",
            "goes on where it was, or at its end if it has grown",
            false),
        new Carries(
            "file that is read and written (a disk)",
            "kept as it was in the pause; a copy of the restored process' own, `--in-place` puts it back",
            false),
        new Carries("deleted file", "with its content, still without a name", false),
        new Carries("directory", "opened again", false),
        new Carries("block device that is only read", "opened again", false));
  }

  static List<FileKind<?>> kinds() {
    return KINDS;
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    if (!isPath(resource)) {
      return Optional.empty();
    }
    if (FileLock.hasLease(resource.info())) {
      return Optional.of(
          Claim.refused(
              "file with a lease",
              "a lease (fcntl F_SETLEASE) cannot be carried",
              "let the target give it up, or leave it out: --drop " + resource.name()));
    }
    for (FileKind<?> kind : KINDS) {
      Optional<Claim> claim = kind.recognise(resource, context.cloner());
      if (claim.isPresent()) {
        return claim;
      }
    }
    return Optional.empty();
  }

  /** Whether it has a place in a file system; a memfd has none, whatever its link looks like. */
  private static boolean isPath(DescriptorResource resource) {
    return resource.link().startsWith("/") && !resource.link().startsWith(MEMFD);
  }

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    return List.of();
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    Map<FileId, DiskCopy> copies = new HashMap<>();
    Map<FileId, FileKind<?>> keepers = new HashMap<>();
    List<FileKind<?>> kinds = new ArrayList<>();
    FileCopies disks = new FileCopies(context);
    for (DescriptorResource resource : claimed) {
      FileKind<?> kind = kindOf(resource, context);
      kinds.add(kind);
      FileId file = FileId.of(resource.stat());
      if (kind.keepsContent() && !copies.containsKey(file)) {
        copies.put(file, disks.plan(resource));
        keepers.put(file, kind);
      }
    }
    List<PlannedFile> files = new ArrayList<>();
    for (int i = 0; i < claimed.size(); i++) {
      DescriptorResource resource = claimed.get(i);
      FileId file = FileId.of(resource.stat());
      FileKind<?> keeper = keepers.get(file);
      // Who reads a file that is a disk as well reads the same copy.
      FileKind<?> kind = keeper == null ? kinds.get(i) : keeper;
      files.add(PlannedFile.of(resource, kind, copies.get(file)));
    }
    disks.prepare();
    return new FilesDetachment(files, disks);
  }

  private static FileKind<?> kindOf(DescriptorResource resource, DetachContext context) {
    for (FileKind<?> kind : KINDS) {
      if (kind.recognise(resource, context.cloner()).isPresent()) {
        return kind;
      }
    }
    throw new IllegalStateException("never claimed: " + resource.name());
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new FilesReattachment(context);
  }
}
