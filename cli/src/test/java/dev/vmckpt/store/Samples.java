// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.spi.image.ClocksImage;
import dev.vmckpt.spi.image.CredentialsImage;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.FileIdentity;
import dev.vmckpt.spi.image.FsImage;
import dev.vmckpt.spi.image.HostFacts;
import dev.vmckpt.spi.image.LayoutImage;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.image.SignalsImage;
import dev.vmckpt.spi.image.TimersImage;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Snapshots for tests: small, whole, and with a disk, but of no process that ever ran. */
public final class Samples {
  /** The file of a disk in each of them. */
  public static final String DISK = "disks/1-disk.raw";

  /** Its file of pages, which here is checked as any other file is. */
  public static final String PAGES = "memory/4242";

  private Samples() {}

  /** A store whose files nobody uses. */
  public static Store store(Path folder) {
    return store(folder, file -> List.of());
  }

  static Store store(Path folder, FileUsers users) {
    return Store.open(
        folder,
        users,
        (home, file, entry, progress) -> {
          throw new AssertionError("no file of pages in these tests: " + file);
        });
  }

  /** Writes and commits one. */
  public static Stored save(Store store, @Nullable String name, String... tags) {
    try (Draft draft = store.begin(name, List.of(tags))) {
      return draft.commit(write(draft.folder(), 1 << 16), "test", ProgressListener.SILENT);
    }
  }

  /** Writes the files of one into a draft. */
  static Captured write(Path folder, int bytes) {
    try {
      byte[] content = new byte[bytes];
      new Random(4242).nextBytes(content);
      Files.createDirectories(folder.resolve("memory"));
      Files.createDirectories(folder.resolve("disks"));
      Files.write(folder.resolve(PAGES), content);
      Files.write(folder.resolve(DISK), content);
    } catch (IOException e) {
      throw StoreErrors.of("cannot write the sample", e);
    }
    return captured(List.of(connection("/images/disk.raw", DISK)), Map.of());
  }

  /** The bounds of a process that has none. */
  public static LayoutImage layout() {
    RemoteAddress none = RemoteAddress.NULL;
    return new LayoutImage(
        none,
        none,
        none,
        none,
        none,
        none,
        none,
        none,
        none,
        none,
        none,
        new byte[8],
        new FileIdentity("/usr/bin/true", 1, 1));
  }

  public static Captured captured(List<DescriptorImage> objects, Map<String, FileEntry> files) {
    List<OpenFileImage> open = new ArrayList<>();
    for (int i = 0; i < objects.size(); i++) {
      open.add(
          new OpenFileImage(
              i, List.of(new OpenFileImage.Descriptor(i + 3, true)), 2, 0, 0, objects.get(i)));
    }
    ProcessImage process =
        new ProcessImage(
            4242,
            "sample",
            List.of("sample", "--option"),
            new MemoryImage(PAGES, layout(), RemoteAddress.NULL, RemoteAddress.NULL, List.of()),
            List.of(),
            new SignalsImage(List.of(), List.of(), false),
            new TimersImage(List.of(), List.of()),
            new ClocksImage(1, 2, 3),
            new CredentialsImage(
                List.of(0), List.of(0), List.of(), List.of(), 0, false, 1, 0, false, 0, 0),
            List.of(),
            new FsImage("/", "/", 18),
            open);
    return new Captured(
        null,
        "2026-01-31T12:00:00.5Z",
        new HostFacts("6.18", 4096, 7, 832, 1, 8192),
        new CaptureFacts(CaptureFacts.Method.FORK, "", 9123, 1 << 20, 0),
        List.of(process),
        files,
        List.of());
  }

  /** A connection to a file, with a copy of it in the snapshot or none. */
  static DescriptorImage connection(String path, @Nullable String copy) {
    Map<String, Object> state =
        copy == null ? Map.of("path", path) : Map.of("path", path, "copy", copy);
    return new DescriptorImage.Connection("files", "a file", new JsonTree(state));
  }
}
