// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.restore;

import dev.vmckpt.ckpt.RestoreRequest;
import dev.vmckpt.ckpt.guard.GuardedSocket;
import dev.vmckpt.ckpt.objects.HuskFiles;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.snapshot.AdapterSet;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Makes the descriptors of a target again: kernel objects by this engine, device connections by
 * their adapters; in ascending order, but epoll last, for it refers to the others.
 */
final class FileRestorer implements ReattachContext {
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int F_GETFL = 3;
  private static final int F_SETFL = 4;
  private static final int F_SETOWN = 8;
  private static final int F_SETSIG = 10;
  private static final int O_ACCMODE = 3;
  private static final int O_CLOEXEC = 02000000;
  private static final int O_ASYNC = 020000;

  private final Husk husk;
  private final RestoreRequest request;
  private final Map<String, Reattachment> reattachments = new LinkedHashMap<>();
  private final int parkFrom;
  private final FileCloner cloner;
  private final List<String> notes;
  private final Map<String, String> reattach;

  FileRestorer(
      Husk husk,
      RestoreRequest request,
      AdapterSet adapters,
      FileCloner cloner,
      List<OpenFileImage> files,
      int parkFrom,
      List<String> notes) {
    this.husk = husk;
    this.request = request;
    this.parkFrom = parkFrom;
    this.cloner = cloner;
    this.notes = notes;
    reattach = byLowestNumber(request.reattach(), files);
    for (Map.Entry<String, List<Recorded>> one : Connections.of(files, adapters).entrySet()) {
      Adapter adapter = Objects.requireNonNull(adapters.byName(one.getKey()));
      reattachments.put(one.getKey(), adapter.reattach(one.getValue(), this));
    }
  }

  /** A wish for one number of a shared description is a wish for the description. */
  private static Map<String, String> byLowestNumber(
      Map<String, String> wishes, List<OpenFileImage> files) {
    Map<String, String> translated = new HashMap<>(wishes);
    Set<String> numbers = new HashSet<>();
    for (OpenFileImage file : files) {
      String lowest = new RemoteFd(file.descriptors().get(0).number()).toString();
      for (OpenFileImage.Descriptor descriptor : file.descriptors()) {
        String number = new RemoteFd(descriptor.number()).toString();
        numbers.add(number);
        String wish = wishes.get(number);
        if (wish != null) {
          translated.putIfAbsent(lowest, wish);
        }
      }
    }
    for (String key : wishes.keySet()) {
      if (key.startsWith("fd:") && !numbers.contains(key)) {
        throw new UsageException(
            "--reattach "
                + key
                + ": the snapshot holds no such descriptor; vmckpt show lists them");
      }
    }
    return translated;
  }

  @Override
  public GuardedChannel pull(RemoteFd fd) {
    try (OwnFd handle =
        new OwnFd(Sys.check("pidfd_open", "the husk", FileCalls.tryPidFd(husk.pid())))) {
      OwnFd socket =
          new OwnFd(
              Sys.check("pidfd_getfd", fd.toString(), FileCalls.tryDuplicate(handle, fd.number())));
      try {
        return GuardedSocket.over(socket);
      } catch (RuntimeException e) {
        socket.close();
        throw e;
      }
    }
  }

  /** Makes all of them. */
  void restore(List<OpenFileImage> files, HuskFiles tools) {
    for (int round = 0; round < 2; round++) {
      for (OpenFileImage file : files) {
        if (KernelObjects.last(file.object()) == (round == 1)) {
          restore(file, tools);
        }
      }
    }
  }

  /** Joins what refers to several: all descriptors are there, and all areas. */
  void complete() {
    for (Reattachment reattachment : reattachments.values()) {
      reattachment.complete();
    }
  }

  /** Tells the outside that the process runs; in reverse order. */
  void restarted(RestartedContext context) {
    List<Reattachment> reversed = new ArrayList<>(reattachments.values());
    Collections.reverse(reversed);
    for (Reattachment reattachment : reversed) {
      reattachment.restarted(context);
    }
  }

  private void restore(OpenFileImage file, HuskFiles tools) {
    RemoteFd made;
    int flags = file.statusFlags();
    if (file.object() instanceof DescriptorImage.Connection connection) {
      made =
          Objects.requireNonNull(reattachments.get(connection.adapter()))
              .reattach(Connections.recorded(file, connection))
              .fd();
      // The adapter has set all other flags as far as the file it opened can take them.
      flags = (flags & O_ASYNC) == 0 ? 0 : flagsNow(made) | O_ASYNC;
    } else {
      made = KernelObjects.restore(file, tools);
    }
    place(file, made, flags, file.object() instanceof DescriptorImage.Connection);
  }

  private int flagsNow(RemoteFd fd) {
    return (int) husk.call("fcntl(F_GETFL)", fd.toString(), Nr.FCNTL, fd.number(), F_GETFL);
  }

  private void place(OpenFileImage file, RemoteFd made, int flags, boolean byAdapter) {
    boolean inPlace = false;
    for (OpenFileImage.Descriptor descriptor : file.descriptors()) {
      String subject = "fd:" + descriptor.number();
      if (descriptor.number() == made.number()) {
        inPlace = true;
        husk.queue(
            "fcntl(F_SETFD)",
            subject,
            Nr.FCNTL,
            made.number(),
            2,
            descriptor.closeOnExec() ? 1 : 0);
        continue;
      }
      husk.queue(
          "dup3",
          subject,
          Nr.DUP3,
          made.number(),
          descriptor.number(),
          descriptor.closeOnExec() ? O_CLOEXEC : 0);
    }
    int first = file.descriptors().get(0).number();
    if (file.ownerSignal() != 0) {
      husk.queueOptional(Nr.FCNTL, first, F_SETSIG, file.ownerSignal());
    }
    if (file.owner() != 0) {
      husk.queueOptional(Nr.FCNTL, first, F_SETOWN, file.owner());
    }
    if (!byAdapter || (flags & O_ASYNC) != 0) {
      husk.queueOptional(Nr.FCNTL, first, F_SETFL, flags & ~O_ACCMODE);
    }
    if (!inPlace) {
      husk.queue("close", "a parked descriptor", Nr.CLOSE, made.number());
    }
    husk.flush();
  }

  @Override
  public RemoteTask husk() {
    return husk;
  }

  @Override
  public RemoteFd park(RemoteFd fd) {
    int at =
        (int)
            husk.call("fcntl(F_DUPFD)", "" + fd, Nr.FCNTL, fd.number(), F_DUPFD_CLOEXEC, parkFrom);
    husk.call("close", "" + fd, Nr.CLOSE, fd.number());
    return new RemoteFd(at);
  }

  @Override
  public Path snapshot() {
    return request.folder();
  }

  @Override
  public Path work() {
    try {
      return Files.createDirectories(
          request.work(),
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (IOException e) {
      throw new FailureException(
          "a folder for working copies cannot be made at " + request.work(), e);
    }
  }

  @Override
  public boolean inPlace() {
    return request.inPlace();
  }

  @Override
  public Map<String, String> reattach() {
    return reattach;
  }

  @Override
  public FileCloner cloner() {
    return cloner;
  }

  @Override
  public void note(String message) {
    notes.add(message);
  }
}
