// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.kit.Claiming;
import dev.vmckpt.kit.SelfTask;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The contract of an adapter, played through with descriptors of this process: record, disturb,
 * reattach, compare.
 */
final class AdapterKit implements AutoCloseable {
  private static final int O_CLOEXEC = 0x80000;
  private static final int F_DUPFD = 0;
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int HIGH = 300;

  private static final int PERMISSIONS = 0644;

  final SelfTask process = new SelfTask();
  final FileCloner cloner = new LinuxFileCloner();
  final List<DiskKeeper> keepers = new ArrayList<>();
  final List<String> announced = new ArrayList<>();
  final List<String> notes = new ArrayList<>();
  final Map<String, String> elsewhere = new HashMap<>();
  boolean inPlace;
  long diskBytes;

  private final Adapter adapter;
  private final Path snapshot;
  private final Path work;
  private final List<Integer> open = new ArrayList<>();

  /**
   * @param folder where the snapshot and the working copies lie
   */
  AdapterKit(Adapter adapter, Path folder) throws IOException {
    this.adapter = adapter;
    this.snapshot = Files.createDirectory(folder.resolve("snapshot"));
    this.work = Files.createDirectory(folder.resolve("work"));
  }

  Path snapshot() {
    return snapshot;
  }

  Path work() {
    return work;
  }

  /**
   * Opens a file at a number that this process' own threads do not come near: Java opens files of
   * its own at any moment, at the lowest number that is free.
   */
  int open(Path path, int flags) {
    process.write(process.scratch(), Arrays.copyOf(bytes(path), bytes(path).length + 1));
    long low =
        process.call(
            "openat",
            path.toString(),
            Nr.OPENAT,
            -100,
            process.scratch().value(),
            flags,
            PERMISSIONS);
    int dup = (flags & O_CLOEXEC) == 0 ? F_DUPFD : F_DUPFD_CLOEXEC;
    int fd = (int) process.call("fcntl", path.toString(), Nr.FCNTL, low, dup, HIGH);
    process.call("close", path.toString(), Nr.CLOSE, low);
    open.add(fd);
    return fd;
  }

  private static byte[] bytes(Path path) {
    return path.toString().getBytes(StandardCharsets.UTF_8);
  }

  void close(int fd) {
    open.remove((Integer) fd);
    process.call("close", "fd:" + fd, Nr.CLOSE, fd);
  }

  void write(int fd, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    process.write(process.scratch(), utf8);
    long written =
        process.call("write", "fd:" + fd, Nr.WRITE, fd, process.scratch().value(), utf8.length);
    assertThat(written).isEqualTo(utf8.length);
  }

  String read(int fd, int length) {
    long read = process.call("read", "fd:" + fd, Nr.READ, fd, process.scratch().value(), length);
    return new String(process.read(process.scratch(), (int) read), StandardCharsets.UTF_8);
  }

  void seek(int fd, long position) {
    process.call("lseek", "fd:" + fd, Nr.LSEEK, fd, position, 0);
  }

  DescriptorResource describe(int fd) {
    try {
      Path path = Path.of("/proc/self/fd/" + fd);
      Map<String, Object> stat = Files.readAttributes(path, "unix:*");
      FileStat found =
          new FileStat(
              FileId.split(number(stat, "dev")),
              number(stat, "ino"),
              (int) number(stat, "mode"),
              FileId.split(number(stat, "rdev")),
              number(stat, "size"),
              number(stat, "nlink"),
              Files.getLastModifiedTime(path).to(java.util.concurrent.TimeUnit.NANOSECONDS));
      return new DescriptorResource(
          process.pid(),
          List.of(new RemoteFd(fd)),
          List.of(false),
          Files.readSymbolicLink(path).toString(),
          found,
          info(fd));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long number(Map<String, Object> stat, String name) {
    return stat.get(name) instanceof Number number ? number.longValue() : -1;
  }

  FdInfo info(int fd) {
    try {
      long position = 0;
      int flags = 0;
      List<String> rest = new ArrayList<>();
      for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd))) {
        String value = line.substring(line.indexOf(':') + 1).strip();
        if (line.startsWith("pos:")) {
          position = Long.parseLong(value);
        } else if (line.startsWith("flags:")) {
          flags = Integer.parseInt(value, 8);
        } else {
          rest.add(line);
        }
      }
      return new FdInfo(position, flags, rest);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Optional<Claim> claim(int fd) {
    return adapter.claim(describe(fd), claiming());
  }

  /** Claim, detach, record, resume, finish. */
  List<Recorded> record(int... fds) {
    List<DescriptorResource> claimed = new ArrayList<>();
    for (int fd : fds) {
      assertThat(claim(fd)).hasValueSatisfying(claim -> assertThat(claim.refusal()).isNull());
      claimed.add(describe(fd));
    }
    Detachment detachment = adapter.detach(claimed, detaching());
    List<Recorded> recorded;
    try {
      recorded = detachment.record(recording());
    } finally {
      detachment.resume();
    }
    diskBytes = detachment.finish();
    return recorded;
  }

  /** Records one descriptor and closes it. */
  Recorded take(int fd) {
    Recorded recorded = record(fd).get(0);
    close(fd);
    return recorded;
  }

  int reattach(Recorded recorded) {
    int fd = adapter.reattach(List.of(recorded), reattaching()).reattach(recorded).fd().number();
    open.add(fd);
    return fd;
  }

  private ClaimContext claiming() {
    return new Claiming(cloner, List.of());
  }

  private DetachContext detaching() {
    return new DetachContext() {
      @Override
      public RemoteTask lodger() {
        throw new AssertionError("files want no lodger");
      }

      @Override
      public int pid() {
        return process.pid();
      }

      @Override
      public FileCloner cloner() {
        return cloner;
      }

      @Override
      public List<DiskKeeper> keepers() {
        return keepers;
      }

      @Override
      public Path folder() {
        return snapshot;
      }

      @Override
      public void frozen(Runnable work) {
        work.run();
      }

      @Override
      public void announce(String message) {
        announced.add(message);
      }
    };
  }

  private RecordContext recording() {
    return new RecordContext() {
      @Override
      public RemoteProcess target() {
        return process;
      }

      @Override
      public RemoteTask lodger() {
        throw new AssertionError("files want no lodger");
      }

      @Override
      public String maps() {
        throw new AssertionError("files want no areas");
      }

      @Override
      public FdInfo infoNow(DescriptorResource resource) {
        return info(resource.fd().number());
      }

      @Override
      public FileCloner cloner() {
        return cloner;
      }
    };
  }

  private ReattachContext reattaching() {
    return new ReattachContext() {
      @Override
      public RemoteTask husk() {
        return process;
      }

      @Override
      public GuardedChannel pull(RemoteFd fd) {
        throw new AssertionError("nobody talks to a husk here");
      }

      @Override
      public RemoteFd park(RemoteFd fd) {
        throw new AssertionError("files park nothing");
      }

      @Override
      public Path snapshot() {
        return snapshot;
      }

      @Override
      public Path work() {
        return work;
      }

      @Override
      public boolean inPlace() {
        return inPlace;
      }

      @Override
      public Map<String, String> reattach() {
        return elsewhere;
      }

      @Override
      public FileCloner cloner() {
        return cloner;
      }

      @Override
      public void note(String message) {
        notes.add(message);
      }
    };
  }

  @Override
  public void close() {
    for (int fd : List.copyOf(open)) {
      close(fd);
    }
  }
}
