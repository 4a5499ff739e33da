// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.memory.AddressSpacePlan;
import dev.vmckpt.ckpt.memory.Layout;
import dev.vmckpt.ckpt.memory.PagesWriter;
import dev.vmckpt.ckpt.objects.CaptureContext;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.ckpt.objects.ObjectChangedException;
import dev.vmckpt.ckpt.proc.FdInfoParser;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.proc.ProcTimers;
import dev.vmckpt.ckpt.snapshot.Plan.Owned;
import dev.vmckpt.ckpt.task.Clocks;
import dev.vmckpt.ckpt.task.Credentials;
import dev.vmckpt.ckpt.task.Limits;
import dev.vmckpt.ckpt.task.Signals;
import dev.vmckpt.ckpt.task.Threads;
import dev.vmckpt.ckpt.task.Timers;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.ForkedChild;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.ckpt.trace.Gadgets;
import dev.vmckpt.ckpt.trace.InjectionPlace;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.ckpt.trace.Tracee;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.spi.image.ClocksImage;
import dev.vmckpt.spi.image.CredentialsImage;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.LayoutImage;
import dev.vmckpt.spi.image.LimitImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.SignalsImage;
import dev.vmckpt.spi.image.ThreadImage;
import dev.vmckpt.spi.image.TimersImage;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import dev.vmckpt.spi.remote.RemoteTask;
import dev.vmckpt.spi.remote.ThreadCall;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The part of a snapshot that stands in the pause: reads a frozen target, and splits its memory
 * off.
 */
final class Recorder {
  private static final int F_GETOWN = 9;
  private static final int F_GETSIG = 11;
  private static final int O_ASYNC = 020000;
  private static final int O_CLOEXEC = 02000000;

  private final Lodging lodging;
  private final SnapshotRequest request;
  private final FileCloner cloner;
  private final List<String> notes;
  private final Threads threads = new Threads();

  /** Another one when it was made anew. */
  private Plan plan;

  Recorder(
      Plan plan, Lodging lodging, SnapshotRequest request, FileCloner cloner, List<String> notes) {
    this.plan = plan;
    this.lodging = lodging;
    this.request = request;
    this.cloner = cloner;
    this.notes = notes;
  }

  /** What it goes by. */
  Plan plan() {
    return plan;
  }

  /** Goes by another plan of the same target from now on. */
  void follow(Plan other) {
    plan = other;
  }

  /**
   * Lets adapters bring threads to a better place. All threads are stopped, and stay so.
   *
   * @param outdated whether the plan will not be compared with the target, but made anew
   */
  void settle(Freeze freeze, Detachments detachments, boolean outdated) {
    detachments.settle(new Settling(freeze, detachments.guestRests(), outdated));
  }

  private final class Settling implements SettleContext {
    private final Freeze freeze;
    private final boolean outdated;
    private final boolean guestRests;

    Settling(Freeze freeze, boolean guestRests, boolean outdated) {
      this.freeze = freeze;
      this.guestRests = guestRests;
      this.outdated = outdated;
    }

    @Override
    public List<ThreadCall> threads() {
      return freeze.calls();
    }

    @Override
    public RemoteTask lodger() {
      return lodging.present();
    }

    @Override
    public String maps() {
      return outdated ? Maps.of(plan.pid(), lodging.tryLodger()) : plan.maps();
    }

    @Override
    public boolean guestRests() {
      return guestRests;
    }

    @Override
    public boolean advance(List<ThreadCall> held, CallWatch watch, long limitMillis) {
      return freeze.advance(held, watch, limitMillis);
    }
  }

  /**
   * Compares the frozen target with the plan, and leaves out what was closed since.
   *
   * @throws PlanOutdatedException if it changed in any other way
   */
  void checkPlan() {
    if (!Maps.of(plan.pid(), lodging.tryLodger()).equals(plan.maps())) {
      throw new PlanOutdatedException("its memory map changed");
    }
    Set<Integer> closed = plan.census().closedSince(plan.pid());
    if (closed == null) {
      throw new PlanOutdatedException("its descriptors changed");
    }
    plan = plan.without(closed);
  }

  /**
   * Dead memory for injections: below the leading thread's stack pointer, or at the far end of the
   * main stack when that thread runs on another stack, as coroutines do.
   */
  static InjectionPlace place(Freeze freeze, AddressSpacePlan memory) {
    long stackPointer = freeze.leader().stackPointer();
    long[] area = memory.areaAt(stackPointer);
    InjectionPlace place =
        area != null && memory.isMainStack(area[0])
            ? InjectionPlace.below(stackPointer, area[0])
            : null;
    if (place == null) {
      place = memory.mainStackEnd(stackPointer);
    }
    if (place == null) {
      throw new FailureException("the main stack has no room for an injection: try again");
    }
    return place;
  }

  /** Reads everything. All threads are stopped; they stay so. */
  Recording record(Freeze freeze, Detachments detachments, PagesWriter writer) {
    int pid = plan.pid();
    Gadgets gadgets = plan.gadgets();
    if (gadgets == null) {
      throw new IllegalStateException("planned without gadgets");
    }
    try (ProcessMemory memory = new ProcessMemory(pid)) {
      InjectionPlace place = place(freeze, plan.memory());
      ProcStatus status = ProcStatus.parse(ProcFs.read(ProcFs.of(pid, "status")));
      List<ThreadImage> images = new ArrayList<>();
      List<Tracee> tracees = freeze.threads();
      for (int i = 1; i < tracees.size(); i++) {
        try (BorrowedThread thread = freeze.borrow(tracees.get(i), gadgets, place, memory)) {
          images.add(
              threads.capture(pid, tracees.get(i), thread, innerTid(tracees.get(i).number())));
        }
      }
      Tracee first = freeze.leader();
      try (BorrowedThread leader = freeze.borrow(first, gadgets, place, memory)) {
        ClocksImage clocks = Clocks.capture(leader);
        TimersImage timers = Timers.capture(leader, innerTimers());
        SignalsImage signals =
            Signals.capture(
                leader,
                status.caught() | status.ignored(),
                first.pendingSignals(true),
                freeze.groupStopped());
        CredentialsImage credentials = Credentials.capture(leader, status);
        List<LimitImage> limits = Limits.capture(pid);
        LayoutImage layout = Layout.capture(leader, plan.stat());
        images.add(0, threads.capture(pid, first, leader, innerTid(first.number())));
        Map<RemoteFd, Recorded> connections = new HashMap<>();
        long copied = detachments.record(new InPause(leader), connections);
        List<OpenFileImage> files = recordFiles(leader, connections);
        writer.copyShared(pid, plan.memory(), memory);
        byte[] vdso = vdso(memory);
        String whyNot = request.method() == CaptureFacts.Method.STOP ? "asked for" : "";
        ForkedChild child = null;
        if (whyNot.isEmpty()) {
          try {
            child = split(leader);
          } catch (SyscallException e) {
            if (request.method() == CaptureFacts.Method.FORK) {
              throw new RefusedException(
                  "a split of process " + pid,
                  List.of(
                      new Refusal("process:" + pid, e.getMessage() + "", "allow --capture stop")));
            }
            whyNot = e.getMessage() + "";
          }
        }
        return new Recording(
            child,
            whyNot,
            "",
            0,
            clocks,
            timers,
            signals,
            credentials,
            limits,
            layout,
            status.umask(),
            images,
            files,
            vdso,
            copied + writer.copiedShared());
      }
    }
  }

  /** The number of a thread in its own pid namespace. */
  private int innerTid(int tid) {
    if (plan.innerPid() == plan.pid()) {
      return tid;
    }
    List<Integer> numbers =
        ProcStatus.parse(ProcFs.read(ProcFs.of(plan.pid(), "task/" + tid + "/status"))).nsPid();
    return numbers.get(numbers.size() - 1);
  }

  /** The timers, with the threads they tell by their numbers in their own pid namespace. */
  private List<ProcTimers.Timer> innerTimers() {
    if (plan.innerPid() == plan.pid()) {
      return plan.timers();
    }
    List<ProcTimers.Timer> timers = new ArrayList<>();
    for (int i = 0; i < plan.timers().size(); i++) {
      ProcTimers.Timer timer = plan.timers().get(i);
      timers.add(timer.toThread() ? timer.telling(innerTid(timer.target())) : timer);
    }
    return timers;
  }

  private byte[] vdso(ProcessMemory memory) {
    for (int i = 0; i < plan.memory().kernelAreas().size(); i++) {
      if (plan.memory().kernelAreas().get(i).path().equals("[vdso]")) {
        return memory.read(
            new RemoteAddress(plan.memory().kernelAreas().get(i).start()),
            (int) plan.memory().kernelAreas().get(i).length());
      }
    }
    return new byte[0];
  }

  private List<OpenFileImage> recordFiles(
      BorrowedThread leader, Map<RemoteFd, Recorded> connections) {
    List<OpenFileImage> files = new ArrayList<>();
    CaptureContext context = new CaptureContext(plan.census(), request.folder(), notes);
    for (int i = 0; i < plan.descriptors().size(); i++) {
      Owned owned = plan.descriptors().get(i);
      DescriptorResource resource = owned.resource();
      FdInfo now = infoNow(resource);
      DescriptorImage image;
      if (owned.dropped()) {
        image = new DescriptorImage.Dropped(resource.link());
      } else if (owned.adapter() != null) {
        Recorded recorded = connections.get(resource.fd());
        if (recorded == null) {
          throw new IllegalStateException(
              "adapter "
                  + owned.adapter().name()
                  + " claimed "
                  + resource.name()
                  + " and recorded nothing");
        }
        image =
            new DescriptorImage.Connection(
                owned.adapter().name(), recorded.summary(), recorded.state());
      } else if (owned.object() != null) {
        try {
          image = KernelObjects.capture(owned.object(), resource, now, context);
        } catch (ObjectChangedException e) {
          throw new PlanOutdatedException(e.getMessage() + "");
        }
      } else {
        throw new IllegalStateException(resource.name() + " has no owner");
      }
      int fd = resource.fd().number();
      // Only these two ever signal their owner: SIGIO, and SIGURG of a socket.
      boolean signals = (now.flags() & O_ASYNC) != 0 || resource.stat().isSocket();
      long ownerPid = signals ? leader.tryCall(Nr.FCNTL, fd, F_GETOWN) : 0;
      long ownerSignal = signals ? leader.tryCall(Nr.FCNTL, fd, F_GETSIG) : 0;
      List<OpenFileImage.Descriptor> numbers = new ArrayList<>();
      for (int j = 0; j < resource.numbers().size(); j++) {
        numbers.add(
            new OpenFileImage.Descriptor(
                resource.numbers().get(j).number(), resource.closeOnExec().get(j)));
      }
      files.add(
          new OpenFileImage(
              i,
              numbers,
              now.flags() & ~O_CLOEXEC,
              ownerPid > -4096 && ownerPid < 0 ? 0 : (int) ownerPid,
              ownerSignal < 0 ? 0 : (int) ownerSignal,
              image));
    }
    return files;
  }

  private static FdInfo infoNow(DescriptorResource resource) {
    return FdInfoParser.parse(
        ProcFs.read(Path.of("/proc/" + resource.pid() + "/fdinfo/" + resource.fd().number())));
  }

  /** Splits the memory off by a fork; what the target keeps from its forks is lent to this one. */
  private ForkedChild split(BorrowedThread leader) {
    ForkLoan loan = new ForkLoan(plan.memory(), leader, lodging.tryLodger());
    loan.lend();
    ForkedChild child;
    try {
      child = leader.fork();
    } catch (SyscallException e) {
      loan.takeBack();
      throw e;
    }
    try {
      loan.takeBack();
    } catch (RuntimeException e) {
      // Nobody will ever hear of that child.
      child.close();
      throw e;
    }
    return child;
  }

  private final class InPause implements RecordContext {
    private final BorrowedThread leader;

    InPause(BorrowedThread leader) {
      this.leader = leader;
    }

    @Override
    public RemoteProcess target() {
      return leader;
    }

    @Override
    public RemoteTask lodger() {
      return lodging.present();
    }

    @Override
    public String maps() {
      return plan.maps();
    }

    @Override
    public FdInfo infoNow(DescriptorResource resource) {
      return Recorder.infoNow(resource);
    }

    @Override
    public FileCloner cloner() {
      return cloner;
    }
  }
}
