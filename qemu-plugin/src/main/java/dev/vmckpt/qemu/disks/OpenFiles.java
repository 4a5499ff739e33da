// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a QEMU has open, to tell which file a node stands for. QEMU says only what it was told to
 * open; by now that name may be gone, or another file's, or one of QEMU's own mount namespace. So a
 * name counts only if it leads to a file that the process has open.
 *
 * <p>One mistake stays possible: of two disks of one QEMU that have swapped their names since it
 * opened them, each is taken for the other.
 */
final class OpenFiles {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String DELETED = " (deleted)";
  private static final String FD_SET = "/dev/fdset/";

  private final Path process;
  private final JsonNode fdSets;
  private final Map<FileKey, Path> open = new HashMap<>();
  private final Map<String, Set<FileKey>> deleted = new HashMap<>();

  private OpenFiles(int pid, JsonNode fdSets) {
    this.process = Path.of("/proc/" + pid);
    this.fdSets = fdSets;
  }

  /**
   * Looks at what a process has open.
   *
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not tell about its descriptor sets
   */
  static OpenFiles of(int pid, Qmp qmp) {
    OpenFiles files = new OpenFiles(pid, qmp.execute("query-fdsets"));
    files.read();
    return files;
  }

  private void read() {
    try (DirectoryStream<Path> numbers = Files.newDirectoryStream(process.resolve("fd"))) {
      for (Path number : numbers) {
        FileKey key = FileKey.tryOf(number);
        if (key == null) {
          continue;
        }
        open.putIfAbsent(key, number);
        String link = Files.readSymbolicLink(number).toString();
        if (link.endsWith(DELETED)) {
          String was = link.substring(0, link.length() - DELETED.length());
          deleted.computeIfAbsent(was, none -> new HashSet<>()).add(key);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      // It ends, or closes what we look at: what was not seen is not matched.
    }
  }

  /** Where an open file can be read, {@code /proc/PID/fd/N}; null if it is not open. */
  @Nullable Path tryPath(FileKey file) {
    return open.get(file);
  }

  /** Which open file a node stands for; null if that cannot be told for sure. */
  @Nullable FileKey tryFile(BlockNode node) {
    String name = node.isFile() ? tryFileName(node.file()) : null;
    if (name == null) {
      return null;
    }
    if (name.startsWith(FD_SET)) {
      return tryFdSet(name.substring(FD_SET.length()));
    }
    FileKey named = FileKey.tryOf(seenByProcess(name));
    if (named != null && open.containsKey(named)) {
      return named;
    }
    Set<FileKey> gone = deleted.getOrDefault(name, Set.of());
    return gone.size() == 1 ? gone.iterator().next() : null;
  }

  /** The file name of a node's {@code file}; null if it has none. */
  static @Nullable String tryFileName(String file) {
    if (!file.startsWith("json:")) {
      return file.isEmpty() ? null : file;
    }
    try {
      JsonNode name = JSON.readTree(file.substring("json:".length())).path("filename");
      return name.isTextual() ? name.textValue() : null;
    } catch (JsonProcessingException e) {
      return null;
    }
  }

  private Path seenByProcess(String name) {
    try {
      Path path = Path.of(name);
      return path.isAbsolute()
          ? process.resolve("root").resolve(Path.of("/").relativize(path))
          : process.resolve("cwd").resolve(path);
    } catch (InvalidPathException e) {
      return Path.of("/nonexistent"); // a name this JVM cannot say
    }
  }

  /** The file of a descriptor set that was handed to QEMU, as libvirt does. */
  private @Nullable FileKey tryFdSet(String number) {
    Set<FileKey> found = new HashSet<>();
    for (JsonNode set : fdSets) {
      if (set.path("fdset-id").asText().equals(number)) {
        for (JsonNode fd : set.path("fds")) {
          FileKey key = FileKey.tryOf(process.resolve("fd/" + fd.path("fd").asInt(-1)));
          if (key != null) {
            found.add(key);
          }
        }
      }
    }
    return found.size() == 1 ? found.iterator().next() : null;
  }
}
