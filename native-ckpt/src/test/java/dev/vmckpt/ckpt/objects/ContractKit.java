// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The contract every kernel object holds: capture, disturb, restore, equal. Objects live in our own
 * process, at numbers that nobody else takes.
 */
final class ContractKit implements AutoCloseable {
  private static final int FIRST_NUMBER = 400;
  private static final int PARK_FROM = 700;
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int F_SETFL = 4;
  private static final int O_ACCMODE = 3;
  private static final int O_CLOEXEC = 02000000;

  final SelfProcess process = new SelfProcess();
  final List<String> notes = new ArrayList<>();
  final Map<String, String> reattach = new HashMap<>();
  private final Path folder;
  private final Set<Integer> mine = new TreeSet<>();
  private int snapshots;

  ContractKit(Path folder) {
    this.folder = folder;
  }

  /** Makes a system call that must succeed. */
  static long call(int number, long... arguments) {
    return new SelfProcess().call("call " + number, "a test", number, arguments);
  }

  /** Moves a new descriptor to a number of ours. */
  int own(long made) {
    int number = (int) call(Nr.FCNTL, made, F_DUPFD_CLOEXEC, FIRST_NUMBER);
    call(Nr.CLOSE, made);
    mine.add(number);
    return number;
  }

  /** Calls something that makes two descriptors: pipe2 or socketpair. */
  int[] ownTwo(int number, long... argumentsBeforePlace) {
    NativeBuffer two = new NativeBuffer(8);
    long[] arguments =
        java.util.Arrays.copyOf(argumentsBeforePlace, argumentsBeforePlace.length + 1);
    arguments[argumentsBeforePlace.length] = two.address();
    call(number, arguments);
    return new int[] {own(two.bytes().getInt(0)), own(two.bytes().getInt(4))};
  }

  int[] pipe(int flags) {
    NativeBuffer two = new NativeBuffer(8);
    call(Nr.PIPE2, two.address(), flags | O_CLOEXEC);
    return new int[] {own(two.bytes().getInt(0)), own(two.bytes().getInt(4))};
  }

  int socket(int domain, int type) {
    return own(SocketCalls.trySocket(domain, type, 0));
  }

  void bind(int fd, byte[] address) {
    NativeBuffer bytes = NativeBuffer.ofBytes(address);
    call(Nr.BIND, fd, bytes.address(), address.length);
  }

  void connect(int fd, byte[] address) {
    NativeBuffer bytes = NativeBuffer.ofBytes(address);
    call(Nr.CONNECT, fd, bytes.address(), address.length);
  }

  byte[] address(int fd) {
    byte[] address = SocketCalls.localAddress(fd);
    if (address == null) {
      throw new AssertionError("no address");
    }
    return address;
  }

  int open(String path, int flags) {
    NativeBuffer text = NativeBuffer.ofText(path);
    return own(call(Nr.OPENAT, -100, text.address(), flags, 0600));
  }

  int dup(int fd) {
    int number = (int) call(Nr.FCNTL, fd, F_DUPFD_CLOEXEC, FIRST_NUMBER);
    mine.add(number);
    return number;
  }

  void write(int fd, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    assertThat(call(Nr.WRITE, fd, NativeBuffer.ofBytes(bytes).address(), bytes.length))
        .isEqualTo(bytes.length);
  }

  /** What one read(2) gives, or the error number as text. */
  String read(int fd) {
    NativeBuffer buffer = new NativeBuffer(65536);
    long length = Sys.tryCall(Nr.READ, fd, buffer.address(), buffer.size());
    return length < 0
        ? "errno " + -length
        : new String(buffer.copy(0, (int) length), StandardCharsets.UTF_8);
  }

  void closeFd(int fd) {
    mine.remove(fd);
    call(Nr.CLOSE, fd);
  }

  /** What is said of a descriptor. */
  Claim claim(int fd) {
    try (Census census = Census.take(process.pid())) {
      return KernelObjects.recognise(resource(census, fd), census).orElseThrow().claim();
    }
  }

  String kind(int fd) {
    try (Census census = Census.take(process.pid())) {
      return KernelObjects.recognise(resource(census, fd), census).orElseThrow().object().name();
    }
  }

  static DescriptorResource resource(Census census, int fd) {
    for (DescriptorResource resource : census.descriptors()) {
      if (resource.numbers().contains(new RemoteFd(fd))) {
        return resource;
      }
    }
    throw new AssertionError("no descriptor " + fd);
  }

  /** Captures descriptors; numbers of one open file description give one image. */
  Snapshot capture(int... fds) {
    Path to = folder.resolve("snapshot-" + snapshots++);
    try (Census census = Census.take(process.pid())) {
      Files.createDirectory(to);
      CaptureContext context = new CaptureContext(census, to, notes);
      Map<RemoteFd, OpenFileImage> images = new HashMap<>();
      for (int fd : fds) {
        DescriptorResource resource = resource(census, fd);
        images.put(resource.fd(), image(resource, census, context));
      }
      List<OpenFileImage> files = new ArrayList<>(images.values());
      files.sort(Comparator.comparing(file -> file.descriptors().get(0).number()));
      return new Snapshot(to, files);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static OpenFileImage image(
      DescriptorResource resource, Census census, CaptureContext context) {
    Recognised recognised = KernelObjects.recognise(resource, census).orElseThrow();
    FdInfo now = resource.info();
    DescriptorImage object = KernelObjects.capture(recognised, resource, now, context);
    List<OpenFileImage.Descriptor> numbers = new ArrayList<>();
    for (RemoteFd number : resource.numbers()) {
      numbers.add(new OpenFileImage.Descriptor(number.number(), true));
    }
    return new OpenFileImage(0, numbers, now.flags() & ~O_CLOEXEC, 0, 0, object);
  }

  /** Puts captured descriptors back to their numbers, as the engine does. */
  void restore(Snapshot snapshot) {
    try (HuskFiles husk = new HuskFiles(process, snapshot.folder(), reattach, notes, PARK_FROM)) {
      for (boolean last : new boolean[] {false, true}) {
        for (OpenFileImage file : snapshot.files()) {
          if (KernelObjects.last(file.object()) == last) {
            RemoteFd made = KernelObjects.restore(file, husk);
            assertThat(made.number()).isGreaterThanOrEqualTo(PARK_FROM);
            for (OpenFileImage.Descriptor wanted : file.descriptors()) {
              call(Nr.DUP3, made.number(), wanted.number(), O_CLOEXEC);
              mine.add(wanted.number());
            }
            call(Nr.CLOSE, made.number());
            call(
                Nr.FCNTL,
                file.descriptors().get(0).number(),
                F_SETFL,
                file.statusFlags() & ~O_ACCMODE);
          }
        }
      }
      husk.finish();
      assertNothingParked();
    } finally {
      // A husk that could not be filled is killed; we are not.
      call(Nr.CLOSE_RANGE, PARK_FROM, 0xffffffffL, 0);
    }
  }

  void close(Snapshot snapshot) {
    for (OpenFileImage file : snapshot.files()) {
      for (OpenFileImage.Descriptor descriptor : file.descriptors()) {
        closeFd(descriptor.number());
      }
    }
  }

  /** The contract: capture, close, restore, capture again, equal. */
  Snapshot roundTrip(int... fds) {
    Snapshot before = capture(fds);
    close(before);
    restore(before);
    Snapshot after = capture(fds);
    assertEqual(before, after);
    return before;
  }

  /** Equal but for numbers that the kernel gives. */
  static void assertEqual(Snapshot before, Snapshot after) {
    assertThat(after.files())
        .usingRecursiveComparison()
        .ignoringFields("object.pipe", "object.pair", "object.pagesFile")
        .isEqualTo(before.files());
  }

  static <I extends DescriptorImage> I only(Snapshot snapshot, Class<I> type) {
    assertThat(snapshot.files()).hasSize(1);
    return type.cast(snapshot.files().get(0).object());
  }

  private static void assertNothingParked() {
    try (Census census = Census.take(new SelfProcess().pid())) {
      for (DescriptorResource resource : census.descriptors()) {
        for (RemoteFd number : resource.numbers()) {
          assertThat(number.number()).isLessThan(PARK_FROM);
        }
      }
    }
  }

  /**
   * What was captured.
   *
   * @param folder where the contents of memory files lie
   */
  record Snapshot(Path folder, List<OpenFileImage> files) {}

  @Override
  public void close() {
    for (int fd : mine) {
      Sys.tryCall(Nr.CLOSE, fd, 0, 0);
    }
  }
}
