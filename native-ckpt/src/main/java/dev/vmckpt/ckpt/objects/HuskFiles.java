// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The descriptor table of a husk while it is filled. Whatever is made is <em>parked</em> at once at
 * a number that nobody wants, so that nothing stands where another descriptor has to go.
 *
 * <p>Things with two ends are made when the first end is wanted; both stay here until {@link
 * #finish}, and each taker gets a descriptor of its own. What can only be done when all descriptors
 * are in place waits for {@link #finish} too.
 */
public final class HuskFiles implements AutoCloseable {
  private static final int F_DUPFD_CLOEXEC = 1030;

  private final RemoteProcess husk;
  private final Path snapshotFolder;
  private final Map<String, String> reattach;
  private final List<String> notes;
  private final int parkFrom;
  private final Map<String, RemoteFd[]> shared = new HashMap<>();
  private final List<RemoteFd> parked = new ArrayList<>();
  private final List<Later> later = new ArrayList<>();
  private @Nullable OwnFd pidFd;

  /** A piece of work for the time when all descriptors are in place. */
  interface Later {
    void run(HuskFiles husk);
  }

  /**
   * @param husk the stopped process
   * @param snapshotFolder the folder of the snapshot, only read
   * @param reattach where connections go instead, by {@code fd:N}
   * @param notes is added to: what did not come back as it was, whole sentences
   * @param parkFrom higher than any wanted number, lower than the husk's RLIMIT_NOFILE
   */
  public HuskFiles(
      RemoteProcess husk,
      Path snapshotFolder,
      Map<String, String> reattach,
      List<String> notes,
      int parkFrom) {
    this.husk = husk;
    this.snapshotFolder = snapshotFolder;
    this.reattach = reattach;
    this.notes = notes;
    this.parkFrom = parkFrom;
  }

  /**
   * Does what had to wait, and closes everything parked here. To be called once, when all
   * descriptors stand at their numbers and all areas are mapped.
   */
  public void finish() {
    for (Later work : later) {
      work.run(this);
    }
    later.clear();
    for (RemoteFd fd : parked) {
      close(fd);
    }
    parked.clear();
    shared.clear();
  }

  /** Lets go of what we hold ourselves; does nothing to the husk. */
  @Override
  public void close() {
    if (pidFd != null) {
      pidFd.close();
      pidFd = null;
    }
  }

  // What the objects use.

  RemoteProcess process() {
    return husk;
  }

  Path snapshotFolder() {
    return snapshotFolder;
  }

  void note(String message) {
    notes.add(message);
  }

  /** Where the user wants this descriptor to go instead, or null. */
  @Nullable String reattach(OpenFileImage file) {
    for (OpenFileImage.Descriptor descriptor : file.descriptors()) {
      String value = reattach.get("fd:" + descriptor.number());
      if (value != null) {
        return value;
      }
    }
    return null;
  }

  /** Its name in messages: {@code fd:12}. */
  static String name(OpenFileImage file) {
    return "fd:" + file.descriptors().get(0).number();
  }

  /** That a descriptor cannot be made again as things are. */
  static RefusedException refused(OpenFileImage file, String why, String remedy) {
    return new RefusedException("restore", List.of(new Refusal(name(file), why, remedy)));
  }

  void atTheEnd(Later work) {
    later.add(work);
  }

  /**
   * Puts bytes where a system call over there can be pointed at; they stand there until the next
   * use.
   */
  long put(byte[] bytes) {
    RemoteAddress scratch = husk.scratch();
    husk.write(scratch, bytes);
    return scratch.value();
  }

  /** {@link #put} of a text, with the zero behind it. */
  long put(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    byte[] withZero = new byte[utf8.length + 1];
    System.arraycopy(utf8, 0, withZero, 0, utf8.length);
    return put(withZero);
  }

  /** Moves a descriptor that was just made to where it is in nobody's way. */
  RemoteFd park(long made) {
    if (made >= parkFrom) {
      return new RemoteFd((int) made);
    }
    return park(husk, new RemoteFd((int) made), parkFrom);
  }

  /**
   * Moves a descriptor of a process of ours.
   *
   * @param from the lowest number it may have then
   */
  public static RemoteFd park(RemoteProcess process, RemoteFd fd, int from) {
    long at =
        process.call("fcntl(F_DUPFD)", fd.toString(), Nr.FCNTL, fd.number(), F_DUPFD_CLOEXEC, from);
    process.call("close", fd.toString(), Nr.CLOSE, fd.number());
    return new RemoteFd((int) at);
  }

  /** Another descriptor of the same open file description. */
  RemoteFd duplicate(RemoteFd fd) {
    return new RemoteFd(
        (int) husk.call("fcntl", fd.toString(), Nr.FCNTL, fd.number(), F_DUPFD_CLOEXEC, parkFrom));
  }

  /** Opens a path over there; the result may be minus an errno, else it is parked. */
  long tryOpen(String path, int flags, int mode) {
    long fd =
        husk.tryCall(Nr.OPENAT, FileCalls.AT_FDCWD, put(path), flags | FileCalls.O_CLOEXEC, mode);
    return fd < 0 ? fd : park(fd).number();
  }

  /** Opens a path over there. */
  RemoteFd open(String path, int flags, int mode) {
    return new RemoteFd((int) Sys.check("open", path, tryOpen(path, flags, mode)));
  }

  /**
   * Opens what a descriptor stands for once more: another open file description of the same object.
   */
  RemoteFd reopen(RemoteFd fd, int flags) {
    return open("/proc/self/fd/" + fd.number(), flags, 0);
  }

  /** socket(2) over there. */
  RemoteFd socket(int domain, int type, int protocol) {
    return park(
        husk.call(
            "socket",
            "a socket of family " + domain,
            Nr.SOCKET,
            domain,
            type | FileCalls.O_CLOEXEC,
            protocol));
  }

  /** pipe2(2) over there: the reading end, then the writing end. */
  RemoteFd[] pipe(int flags) {
    RemoteAddress scratch = husk.scratch();
    husk.call("pipe2", "a pipe", Nr.PIPE2, scratch.value(), flags | FileCalls.O_CLOEXEC);
    return parkTwo(scratch);
  }

  /** socketpair(2) over there, of UNIX sockets. */
  RemoteFd[] socketPair(int type) {
    RemoteAddress scratch = husk.scratch();
    husk.call(
        "socketpair",
        "two sockets",
        Nr.SOCKETPAIR,
        1,
        type | FileCalls.O_CLOEXEC,
        0,
        scratch.value());
    return parkTwo(scratch);
  }

  private RemoteFd[] parkTwo(RemoteAddress numbers) {
    byte[] two = husk.read(numbers, 8);
    int first = LittleEndian.intAt(two, 0);
    int second = LittleEndian.intAt(two, 4);
    return new RemoteFd[] {park(first), park(second)};
  }

  void close(RemoteFd fd) {
    husk.call("close", fd.toString(), Nr.CLOSE, fd.number());
  }

  /**
   * A descriptor of ours for an open file of the husk: what can be done there can then be done
   * here.
   */
  OwnFd pull(RemoteFd fd) {
    OwnFd handle = pidFd;
    if (handle == null) {
      handle = new OwnFd(Sys.check("pidfd_open", "the husk", FileCalls.tryPidFd(husk.pid())));
      pidFd = handle;
    }
    return new OwnFd(
        Sys.check("pidfd_getfd", fd.toString(), FileCalls.tryDuplicate(handle, fd.number())));
  }

  /** What was made under this key, or null; it stays parked until {@link #finish}. */
  RemoteFd @Nullable [] shared(String key) {
    return shared.get(key);
  }

  /** Keeps descriptors under a key until {@link #finish}. */
  void share(String key, RemoteFd... fds) {
    shared.put(key, fds);
    for (RemoteFd fd : fds) {
      parked.add(fd);
    }
  }

  /** Keeps a descriptor until {@link #finish}. */
  void keep(RemoteFd fd) {
    parked.add(fd);
  }
}
