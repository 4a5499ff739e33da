// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.memory.AddressSpacePlan;
import dev.vmckpt.ckpt.memory.AddressSpacePlan.AreaOwner;
import dev.vmckpt.ckpt.objects.Census;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.ckpt.objects.Recognised;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.proc.ProcTimers;
import dev.vmckpt.ckpt.proc.SmapsParser;
import dev.vmckpt.ckpt.snapshot.Plan.Child;
import dev.vmckpt.ckpt.snapshot.Plan.Owned;
import dev.vmckpt.ckpt.trace.Gadgets;
import dev.vmckpt.ckpt.trace.Lodger;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.AreaClaim;
import dev.vmckpt.spi.AreaResource;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.UsageException;
import java.io.File;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Looks at a running target and finds an owner for everything it holds; touches nothing. */
final class Planner {
  private static final String TRACED = "it is being traced by process ";

  private final AdapterSet adapters;
  private final FileCloner cloner;

  Planner(AdapterSet adapters, FileCloner cloner) {
    this.adapters = adapters;
    this.cloner = cloner;
  }

  /**
   * Makes the plan of a process whose outside nobody has met yet: its guest is taken for one that
   * can be brought to rest.
   *
   * @param drops names of descriptors to leave out
   * @throws TargetGoneException if there is no such process
   * @throws NotPermittedException if it may not be looked at
   */
  Plan plan(int pid, Set<String> drops) {
    return plan(pid, drops, true, null);
  }

  /**
   * Makes the plan of a process whose outside was met.
   *
   * @throws TargetGoneException if there is no such process
   * @throws NotPermittedException if it may not be looked at
   */
  Plan plan(SnapshotRequest request, Visits visits) {
    return plan(request.pid(), request.drops(), visits.canRest(), null);
  }

  private Plan plan(int pid, Set<String> drops, boolean canRest, @Nullable Lodger lodger) {
    ProcStatus status = ProcStatus.parse(ProcFs.read(ProcFs.of(pid, "status")));
    if (status.state() == 'Z' || status.state() == 'X') {
      throw new TargetGoneException("process " + pid + " has ended already");
    }
    if (status.tgid() != pid) {
      throw new UsageException(
          pid + " is a thread of process " + status.tgid() + ": name the process");
    }
    if (status.kernelThread()) {
      throw new UsageException(pid + " is a thread of the kernel, no process");
    }
    List<Refusal> refusals = new ArrayList<>();
    refuseProcess(pid, status, refusals);
    ProcStat stat = ProcStat.parse(ProcFs.read(ProcFs.of(pid, "stat")));
    Census census = Census.take(pid);
    ClaimContext context = new Context(census, canRest);
    String maps = Maps.of(pid, lodger);
    AddressSpacePlan memory =
        new AddressSpacePlan(
            pid,
            withoutOurs(SmapsParser.parse(ProcFs.read(ProcFs.of(pid, "smaps"))), lodger),
            census.descriptors(),
            area -> owner(area, context, drops));
    refusals.addAll(memory.refusals());
    refusals.addAll(census.refusals());
    Surroundings surroundings = Surroundings.of(pid, maps, census.descriptors());
    refusals.addAll(surroundings.refusals());
    List<Owned> descriptors = new ArrayList<>();
    for (DescriptorResource resource : census.descriptors()) {
      Owned owned = own(resource, census, context, drops);
      descriptors.add(owned);
      if (owned.refusal() != null) {
        refusals.add(
            new Refusal(
                resource.name() + " " + resource.link(),
                owned.refusal(),
                owned.remedy() == null ? "--drop " + resource.name() : owned.remedy()));
      }
    }
    checkDrops(drops, census.descriptors());
    List<Child> children = children(pid, stat, lodger);
    for (Child child : children) {
      if (!child.ended()) {
        refusals.add(
            new Refusal(
                "child:" + child.pid() + " " + child.name(),
                "the target has a child process, and only single processes are saved yet",
                "end it, or start the target without it"));
      }
    }
    Gadgets gadgets = null;
    try (ProcessMemory read = new ProcessMemory(pid)) {
      gadgets = Gadgets.find(read, memory.executableAreas(), pid);
    } catch (RefusedException e) {
      refusals.addAll(e.refusals());
    }
    try {
      return new Plan(
          pid,
          status,
          stat,
          commandLine(pid),
          maps,
          memory,
          census,
          descriptors,
          children,
          ProcTimers.parse(ProcFs.read(ProcFs.of(pid, "timers"))),
          gadgets,
          Files.readSymbolicLink(ProcFs.of(pid, "cwd")).toString(),
          Files.readSymbolicLink(ProcFs.of(pid, "root")).toString(),
          surroundings.note(),
          List.copyOf(refusals));
    } catch (NoSuchFileException e) {
      throw new TargetGoneException("process " + pid + " went away", e);
    } catch (AccessDeniedException e) {
      throw new NotPermittedException(
          "process " + pid + " may not be looked at by this user: run as its owner or as root", e);
    } catch (IOException e) {
      throw new TargetGoneException("process " + pid + " cannot be looked at", e);
    }
  }

  /**
   * The plan of a process in which we are at work: it may be stopped by us, and hold a lodger.
   *
   * @param lodger a task of ours in it, which is no part of it
   */
  Plan planBeside(SnapshotRequest request, Visits visits, @Nullable Lodger lodger) {
    Plan plan = plan(request.pid(), request.drops(), visits.canRest(), lodger);
    List<Refusal> refusals = new ArrayList<>();
    for (Refusal refusal : plan.refusals()) {
      if (!refusal.why().startsWith(TRACED)) {
        refusals.add(refusal);
      }
    }
    return plan.withRefusals(refusals);
  }

  private static void refuseProcess(int pid, ProcStatus status, List<Refusal> refusals) {
    if (pid == ProcessHandle.current().pid()) {
      throw new UsageException("vmckpt cannot save itself");
    }
    if (status.tracerPid() != 0) {
      refusals.add(
          new Refusal(
              "process:" + pid,
              TRACED + status.tracerPid() + nameOf(status.tracerPid()),
              "detach that debugger first"));
    }
    if (status.seccomp() == 1) {
      refusals.add(
          new Refusal(
              "process:" + pid,
              "it is in strict seccomp mode, where no call can be made in its place",
              "nothing can be done about it"));
    }
    if (status.threadFeatures().contains("shstk")) {
      refusals.add(
          new Refusal(
              "process:" + pid,
              "it runs with shadow stacks, which cannot be carried yet",
              "start it with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off"));
    }
  }

  private static String nameOf(int pid) {
    try {
      return " (" + ProcFs.read(ProcFs.of(pid, "comm")).strip() + ")";
    } catch (TargetGoneException gone) {
      return "";
    }
  }

  private Owned own(
      DescriptorResource resource, Census census, ClaimContext context, Set<String> drops) {
    boolean dropped = false;
    for (int i = 0; i < resource.numbers().size(); i++) {
      dropped |= drops.contains(resource.numbers().get(i).toString());
    }
    if (dropped) {
      return new Owned(
          resource,
          null,
          null,
          true,
          false,
          "left out: comes back as if its other end had gone",
          null,
          null);
    }
    for (Adapter adapter : adapters.ordered()) {
      Optional<Claim> claim = adapter.claim(resource, context);
      if (claim.isPresent()) {
        return owned(resource, adapter, null, claim.get());
      }
    }
    Optional<Recognised> object = KernelObjects.recognise(resource, census);
    if (object.isPresent()) {
      return owned(resource, null, object.get(), object.get().claim());
    }
    return new Owned(
        resource,
        null,
        null,
        false,
        false,
        "unknown",
        "nobody carries this kind of descriptor",
        "close it in the target, or leave it out with --drop " + resource.name());
  }

  private static List<ProcArea> withoutOurs(List<ProcArea> areas, @Nullable Lodger lodger) {
    if (lodger == null) {
      return areas;
    }
    List<ProcArea> theirs = new ArrayList<>();
    for (ProcArea area : areas) {
      if (!lodger.owns(area.start())) {
        theirs.add(area);
      }
    }
    return theirs;
  }

  /** The adapter that carries an area, unless what it maps is left out. */
  private @Nullable AreaOwner owner(AreaResource area, ClaimContext context, Set<String> drops) {
    for (Adapter adapter : adapters.ordered()) {
      Optional<AreaClaim> claim = adapter.claim(area, context);
      if (claim.isPresent() && !drops.contains(claim.get().descriptor().toString())) {
        return new AreaOwner(adapter.name(), claim.get());
      }
    }
    return null;
  }

  private static Owned owned(
      DescriptorResource resource,
      @Nullable Adapter adapter,
      @Nullable Recognised object,
      Claim claim) {
    boolean changed = object != null ? object.object().changed() : claim.changed();
    return new Owned(
        resource,
        adapter,
        object,
        false,
        changed,
        claim.summary(),
        claim.refusal(),
        claim.remedy());
  }

  private static void checkDrops(Set<String> drops, List<DescriptorResource> descriptors) {
    for (String drop : drops) {
      boolean found = false;
      for (DescriptorResource resource : descriptors) {
        for (int i = 0; i < resource.numbers().size(); i++) {
          found |= resource.numbers().get(i).toString().equals(drop);
        }
      }
      if (!found) {
        throw new UsageException(
            "--drop " + drop + ": the target holds no such descriptor; vmckpt inspect lists them");
      }
    }
  }

  private static List<String> commandLine(int pid) {
    List<String> words = new ArrayList<>();
    for (String word : ProcFs.read(ProcFs.of(pid, "cmdline")).split("\0", -1)) {
      words.add(word);
    }
    if (!words.isEmpty() && words.get(words.size() - 1).isEmpty()) {
      words.remove(words.size() - 1);
    }
    return words;
  }

  private static List<Child> children(int pid, ProcStat stat, @Nullable Lodger lodger) {
    List<Child> children = new ArrayList<>();
    for (int number : childNumbers(pid)) {
      if (lodger != null && lodger.pid() == number) {
        continue;
      }
      try {
        ProcStat found = ProcStat.parse(ProcFs.read(ProcFs.of(number, "stat")));
        boolean ended = found.state() == 'Z';
        boolean ours = ended && found.exitSignal() == 0 && found.name().equals(stat.name());
        children.add(new Child(number, found.name(), ended, ours));
      } catch (TargetGoneException e) {
        // It ended between two looks, and was waited for.
      }
    }
    return children;
  }

  /**
   * The children of all threads: by {@code /proc/PID/task/TID/children}, or on a kernel without
   * that file by looking at every process.
   */
  private static List<Integer> childNumbers(int pid) {
    List<Integer> numbers = new ArrayList<>();
    if (!new File("/proc/self/task/" + ProcessHandle.current().pid() + "/children").exists()) {
      for (String name : list("/proc")) {
        if (Character.isDigit(name.charAt(0)) && parentOf(Integer.parseInt(name)) == pid) {
          numbers.add(Integer.parseInt(name));
        }
      }
      return numbers;
    }
    for (String thread : list("/proc/" + pid + "/task")) {
      try {
        String text = ProcFs.read(ProcFs.of(pid, "task/" + thread + "/children")).strip();
        for (String word : text.split(" ", -1)) {
          if (!word.isEmpty()) {
            numbers.add(Integer.parseInt(word));
          }
        }
      } catch (TargetGoneException e) {
        // A thread that has just ended; its children went to another.
      }
    }
    return numbers;
  }

  private static int parentOf(int pid) {
    try {
      return ProcStat.parse(ProcFs.read(ProcFs.of(pid, "stat"))).ppid();
    } catch (TargetGoneException e) {
      return 0;
    }
  }

  private static String[] list(String folder) {
    String[] names = new File(folder).list();
    if (names == null) {
      throw new TargetGoneException(folder + " is not there any more");
    }
    return names;
  }

  private final class Context implements ClaimContext {
    private final Census census;
    private final boolean canRest;

    Context(Census census, boolean canRest) {
      this.census = census;
      this.canRest = canRest;
    }

    @Override
    public List<DescriptorResource> descriptors() {
      return census.descriptors();
    }

    @Override
    public FileCloner cloner() {
      return cloner;
    }

    @Override
    public Optional<Peer> peer(DescriptorResource resource) {
      return census.peer(resource);
    }

    @Override
    public boolean guestCanRest() {
      return canRest;
    }
  }
}
