// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.memory.AddressSpacePlan;
import dev.vmckpt.ckpt.objects.Census;
import dev.vmckpt.ckpt.objects.Recognised;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.proc.ProcTimers;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.ckpt.trace.Gadgets;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Everything that was learned of a target while it ran: what it holds, and who carries each piece.
 *
 * @param pid the target
 * @param status /proc/PID/status
 * @param stat /proc/PID/stat
 * @param commandLine its arguments
 * @param maps the text of /proc/PID/maps that the plan of its memory was made for
 * @param memory its areas
 * @param census its descriptors
 * @param descriptors each open file description with its owner
 * @param children its child processes
 * @param timers its POSIX timers
 * @param gadgets what injections are made of; null if there are none (then it is refused)
 * @param workingDirectory where it stands
 * @param root what it takes for the root of the file system
 * @param elsewhere what of its surroundings comes back otherwise; empty for nothing
 * @param refusals everything that stands in the way
 */
record Plan(
    int pid,
    ProcStatus status,
    ProcStat stat,
    List<String> commandLine,
    String maps,
    AddressSpacePlan memory,
    Census census,
    List<Owned> descriptors,
    List<Child> children,
    List<ProcTimers.Timer> timers,
    @Nullable Gadgets gadgets,
    String workingDirectory,
    String root,
    String elsewhere,
    List<Refusal> refusals)
    implements AutoCloseable {

  /** Lets go of what the census holds open. */
  @Override
  public void close() {
    census.close();
  }

  /** The number of the process in its own pid namespace. */
  int innerPid() {
    List<Integer> numbers = status.nsPid();
    return numbers.isEmpty() ? pid : numbers.get(numbers.size() - 1);
  }

  /** Whether its system calls are filtered: filters are suspended while calls are made in it. */
  boolean filtered() {
    return status.seccomp() != 0;
  }

  /** Seizes all its threads; they run on. */
  Freeze seize() {
    return Freeze.seize(pid, filtered());
  }

  /**
   * Says what stands in the way, if anything does.
   *
   * @throws RefusedException naming all of it
   */
  void refuse() {
    RefusedException.throwIfAny("snapshot of process " + pid, refusals);
  }

  /** What an adapter claimed. */
  List<DescriptorResource> claimedBy(Adapter adapter) {
    List<DescriptorResource> claimed = new ArrayList<>();
    for (Owned owned : descriptors) {
      if (owned.adapter() != null && owned.adapter().name().equals(adapter.name())) {
        claimed.add(owned.resource());
      }
    }
    return claimed;
  }

  /** What comes back otherwise, or not at all, although nobody carries it as a descriptor. */
  List<String> notes() {
    List<String> notes = new ArrayList<>();
    for (Child child : children) {
      if (!child.ours()) {
        notes.add(
            "child "
                + child.pid()
                + " ("
                + child.name()
                + ") has ended and was not waited for: it does not come back, and waiting for it"
                + " will fail");
      }
    }
    if (!elsewhere.isEmpty()) {
      notes.add("process " + pid + ": " + elsewhere);
    }
    return notes;
  }

  /**
   * The same plan without what was closed meanwhile.
   *
   * @param closed numbers of it
   * @throws PlanOutdatedException if an adapter carries one of them, or other numbers stand for the
   *     same thing
   */
  Plan without(Set<Integer> closed) {
    if (closed.isEmpty()) {
      return this;
    }
    List<Owned> left = new ArrayList<>();
    for (int i = 0; i < descriptors.size(); i++) {
      Owned owned = descriptors.get(i);
      int gone = 0;
      for (RemoteFd number : owned.resource().numbers()) {
        gone += closed.contains(number.number()) ? 1 : 0;
      }
      if (gone == 0) {
        left.add(owned);
      } else if (gone != owned.resource().numbers().size() || owned.adapter() != null) {
        throw new PlanOutdatedException("its descriptors changed");
      }
    }
    return with(left, refusals);
  }

  /** The same plan with other refusals. */
  Plan withRefusals(List<Refusal> others) {
    return with(descriptors, List.copyOf(others));
  }

  private Plan with(List<Owned> owned, List<Refusal> others) {
    return new Plan(
        pid,
        status,
        stat,
        commandLine,
        maps,
        memory,
        census,
        owned,
        children,
        timers,
        gadgets,
        workingDirectory,
        root,
        elsewhere,
        others);
  }

  /**
   * Whether an earlier plan gave the same descriptors to the same owners. It may have had event
   * counters that are closed by now, see {@link Census#closedSince}.
   */
  boolean sameOwners(Plan earlier) {
    int at = 0;
    for (int i = 0; i < earlier.descriptors.size(); i++) {
      Owned its = earlier.descriptors.get(i);
      if (at < descriptors.size() && descriptors.get(at).isLike(its)) {
        at++;
      } else if (its.adapter() != null || !its.resource().link().equals(Census.EVENT_COUNTER)) {
        return false;
      }
    }
    return at == descriptors.size();
  }

  /**
   * An open file description and who carries it: an adapter, a kernel object, or the user's wish to
   * drop it.
   *
   * @param adapter the adapter that claimed it, or null
   * @param object the kernel object it is, or null
   * @param dropped whether the user wants it left out
   * @param summary what it is and how it comes back
   * @param refusal why it cannot be carried, or null
   * @param remedy what to do about that, or null
   */
  record Owned(
      DescriptorResource resource,
      @Nullable Adapter adapter,
      @Nullable Recognised object,
      boolean dropped,
      boolean changed,
      String summary,
      @Nullable String refusal,
      @Nullable String remedy) {

    private boolean isLike(Owned other) {
      return resource.numbers().equals(other.resource.numbers())
          && resource.link().equals(other.resource.link())
          && adapter == other.adapter;
    }

    String owner() {
      if (dropped) {
        return "nobody";
      }
      if (adapter != null) {
        return adapter.name();
      }
      return object != null && refusal == null ? object.object().name() : "nobody";
    }
  }

  /**
   * A child process.
   *
   * @param ended whether it is a zombie
   * @param ours whether it is what is left of a child that a snapshot made (it tells its parent
   *     nothing)
   */
  record Child(int pid, String name, boolean ended, boolean ours) {}
}
