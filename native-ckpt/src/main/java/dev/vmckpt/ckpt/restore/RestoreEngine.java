// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.restore;

import dev.vmckpt.ckpt.RestoreRequest;
import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.ckpt.memory.AreaRestorer;
import dev.vmckpt.ckpt.memory.Layout;
import dev.vmckpt.ckpt.objects.HuskFiles;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.snapshot.AdapterSet;
import dev.vmckpt.ckpt.task.Clocks;
import dev.vmckpt.ckpt.task.Credentials;
import dev.vmckpt.ckpt.task.Limits;
import dev.vmckpt.ckpt.task.Signals;
import dev.vmckpt.ckpt.task.Threads;
import dev.vmckpt.ckpt.task.Timers;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.ckpt.trace.Tracee;
import dev.vmckpt.ckpt.trace.VdsoCode;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.image.CredentialsImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.ArrayList;
import java.util.List;

/** Brings a saved process back. All of it runs on the tracer thread. */
public final class RestoreEngine {
  private static final int O_RDONLY_CLOEXEC = 02000000;
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int SIGSTOP = 19;

  /** How many numbers above the highest wanted one are ours while we build. */
  private static final int PARKING = 1;

  private final AdapterSet adapters;
  private final FileCloner cloner;

  public RestoreEngine(AdapterSet adapters, FileCloner cloner) {
    this.adapters = adapters;
    this.cloner = cloner;
  }

  /**
   * Builds the process and lets it run.
   *
   * @return it; nothing is left behind if anything fails before
   */
  public Restored restore(RestoreRequest request) {
    long start = System.nanoTime();
    ProcessImage image = request.manifest().processes().get(0);
    List<String> notes = new ArrayList<>();
    try (HuskBuilder builder = new HuskBuilder(image)) {
      builder.start();
      int parkFrom = parkFrom(image.files());
      // What is made of it inherits that.
      allowDescriptors(builder.first().pid(), parkFrom);
      Preflight.check(request, builder, adapters, parkFrom, notes);
      Husk husk = builder.build(parkFrom);
      if (husk.pid() != image.pid()) {
        notes.add(
            "process number "
                + image.pid()
                + " is taken, so it runs in a pid namespace of its own; from outside it is process "
                + husk.pid());
      }
      AreaRestorer areas = new AreaRestorer(husk, image.memory(), request.folder(), request.lazy());
      Layout.restore(husk, image.memory().layout());
      areas.mapVdso();
      int pagesFd = openPages(husk, request, image, parkFrom);
      areas.mapAreas(pagesFd);
      if (!Clocks.tryContinue(husk, image.clocks())) {
        notes.add(
            "its clocks did not go on where they were: there is no time namespace to be had here"
                + " (CAP_SYS_ADMIN, CONFIG_TIME_NS)");
      }
      restoreFs(husk, image);
      FileRestorer files =
          new FileRestorer(husk, request, adapters, cloner, image.files(), parkFrom, notes);
      try (HuskFiles tools =
          new HuskFiles(husk, request.folder(), files.reattach(), notes, parkFrom + PARKING)) {
        files.restore(image.files(), tools);
        areas.mapDescriptorAreas(image.files());
        // Last: a seal would forbid the shared mapping of a memfd.
        tools.finish();
      }
      files.complete();
      husk.call("close_range", "parked descriptors", Nr.CLOSE_RANGE, parkFrom, 0xffffffffL, 0);
      List<Tracee> threads = Threads.make(husk, image.threads());
      for (int i = 0; i < threads.size(); i++) {
        Threads.restore(husk, threads.get(i), image.threads().get(i));
      }
      husk.use(husk.leader());
      Credentials.restoreProcess(husk, image.credentials());
      Timers.restore(husk, image.timers());
      Signals.restore(husk, image.signals());
      Limits.restore(husk.pid(), image.limits());
      restoreIdentity(husk, threads, image);
      leaveWorkspace(husk);
      for (int i = 0; i < threads.size(); i++) {
        Threads.restoreRegisters(threads.get(i), image.threads().get(i));
      }
      if (image.signals().stopped()) {
        Sys.tryCall(Nr.KILL, husk.pid(), SIGSTOP, 0);
      }
      Husk init = builder.init();
      int supervisor = init == null ? husk.pid() : init.pid();
      builder.releaseInit();
      // From the first thread that is let go until the last, our death ends the whole process.
      for (int i = threads.size() - 1; i >= 0; i--) {
        threads.get(i).detach();
      }
      builder.released();
      husk.memory().close();
      long micros = (System.nanoTime() - start) / 1000;
      files.restarted(new Restarted(husk.pid(), notes));
      return new Restored(
          husk.pid(), image.pid(), supervisor, micros, areas.anyLazy(), List.copyOf(notes));
    }
  }

  private static int parkFrom(List<OpenFileImage> files) {
    int highest = 2;
    for (OpenFileImage file : files) {
      for (OpenFileImage.Descriptor descriptor : file.descriptors()) {
        highest = Math.max(highest, descriptor.number());
      }
    }
    return highest + 1;
  }

  /**
   * Raises the limit of descriptors if what is built needs more; the saved limit is set at the end.
   */
  private static void allowDescriptors(int pid, int parkFrom) {
    long wanted = parkFrom + 4096L;
    NativeBuffer limit = new NativeBuffer(16);
    limit.bytes().putLong(0, wanted).putLong(8, Math.max(wanted, 1 << 20));
    // Without the privilege the limit stays; numbers above it are then refused one by one.
    Sys.tryCall(Nr.PRLIMIT64, pid, 7, limit.address(), 0, 0, 0);
  }

  private static int openPages(
      Husk husk, RestoreRequest request, ProcessImage image, int parkFrom) {
    String pages = request.folder().resolve(image.memory().pagesFile()).toString();
    int low = husk.open(pages, O_RDONLY_CLOEXEC);
    int high = (int) husk.call("fcntl(F_DUPFD)", pages, Nr.FCNTL, low, F_DUPFD_CLOEXEC, parkFrom);
    husk.call("close", pages, Nr.CLOSE, low);
    return high;
  }

  private static void restoreFs(Husk husk, ProcessImage image) {
    String root = image.fs().root();
    if (!root.equals("/")) {
      husk.queue("chroot", root, Nr.CHROOT, husk.place(root));
    }
    String directory = image.fs().workingDirectory();
    husk.queue("chdir", directory, Nr.CHDIR, husk.place(directory));
    husk.queue("umask", "the process", Nr.UMASK, image.fs().umask());
    husk.flush();
  }

  /**
   * Who each thread is, and what it may still call. After this a call can be refused: almost the
   * last.
   */
  private static void restoreIdentity(Husk husk, List<Tracee> threads, ProcessImage image) {
    CredentialsImage current =
        Credentials.of(ProcStatus.parse(ProcFs.read(ProcFs.of(husk.pid(), "status"))));
    for (int i = threads.size() - 1; i >= 0; i--) {
      husk.use(threads.get(i));
      Credentials.restoreThread(husk, image.credentials(), current);
      Threads.restoreFilters(
          husk, threads.get(i), image.threads().get(i), image.credentials().noNewPrivileges());
    }
    husk.use(husk.leader());
  }

  /** Takes the workspace away, by a call from the vDSO of the process' own. */
  private static void leaveWorkspace(Husk husk) {
    RemoteAddress gadget = VdsoCode.syscall(husk.memory(), VdsoCode.areas(husk.pid()));
    long result =
        Husk.plainCall(
            husk.leader(),
            gadget,
            Nr.MUNMAP,
            husk.workspace().value(),
            Husk.WORKSPACE_BYTES,
            0,
            0,
            0,
            0);
    Sys.check("munmap", "the workspace", result);
  }

  private record Restarted(int pid, List<String> notes) implements RestartedContext {
    @Override
    public void note(String message) {
      notes.add(message);
    }
  }
}
