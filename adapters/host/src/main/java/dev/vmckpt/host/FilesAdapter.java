// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

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

  @Override
  public List<String> before() {
    return List.of();
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
      Optional<Claim> claim = kind.recognise(resource, context);
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
    ClaimContext asking = context::cloner;
    for (FileKind<?> kind : KINDS) {
      if (kind.recognise(resource, asking).isPresent()) {
        return kind;
      }
    }
    throw new IllegalStateException("never claimed: " + resource.name());
  }

  @Override
  public Reattached reattach(Recorded recorded, ReattachContext context) {
    FileState state =
        RecordJson.fromTree(
                recorded.state(), FileState.State.class, "the record of " + recorded.fd())
            .file();
    HuskOpener husk = new HuskOpener(context, recorded.fd());
    String elsewhere = context.reattach().get(recorded.fd().toString());
    if (elsewhere != null) {
      return new Reattached(openElsewhere(elsewhere, state, recorded, husk));
    }
    for (FileKind<?> kind : KINDS) {
      RemoteFd fd = tryReattach(kind, state, husk);
      if (fd != null) {
        return new Reattached(fd);
      }
    }
    throw new IllegalStateException("no kind of file has " + state.getClass());
  }

  private static <S extends FileState> @Nullable RemoteFd tryReattach(
      FileKind<S> kind, FileState state, HuskOpener husk) {
    Class<S> type = kind.stateType();
    return type.isInstance(state) ? kind.reattach(type.cast(state), husk) : null;
  }

  /** Opens what the user put in a file's place; one that is only written goes on at its end. */
  private static RemoteFd openElsewhere(
      String path, FileState state, Recorded recorded, HuskOpener husk) {
    OpenState open = state.open();
    int flags = OpenFlags.again(open.flags());
    RemoteFd fd;
    if (state instanceof FileState.LogFile log) {
      fd = husk.open(path, flags | OpenFlags.CREAT, log.mode());
      husk.seekEnd(fd);
    } else {
      fd = husk.open(path, flags, 0);
      husk.trySeek(fd, open.position());
    }
    husk.note(path, "stands in for: " + recorded.summary());
    return husk.lock(fd, path, open);
  }

  @Override
  public void restarted(RestartedContext context) {
    // Files have nobody to tell.
  }
}
