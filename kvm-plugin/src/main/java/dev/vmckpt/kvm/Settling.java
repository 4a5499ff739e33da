// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import dev.vmckpt.spi.remote.ThreadCall;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Brings every vcpu to where no access of the guest is half done. Between an exit for one and the
 * next KVM_RUN the access is unfinished, and no KVM_GET shows it (Documentation/virt/kvm/api.rst,
 * section 5, "the pending state of the operation is not preserved"). So the process runs on until
 * it enters KVM_RUN again, and that call is interrupted at once: KVM finishes the access and
 * returns EINTR before the guest goes on; or it has another part of it to hand out, and so on. The
 * thread then makes the same KVM_RUN anew when it goes on, and has not noticed.
 *
 * <p>A monitor that keeps its guest stopped does not come back to KVM_RUN. Those that stop a guest
 * finish its accesses first, as the API asks of them (QEMU's {@code stop} does): a vcpu whose
 * monitor rests, with a thread for it that waits on a futex for as long as it takes, is taken for
 * settled. One whose monitor is busy elsewhere, or waits for input, is not.
 */
final class Settling implements CallWatch {
  /** KVM_EXIT_* behind which the next KVM_RUN finishes something (include/uapi/linux/kvm.h). */
  private static final Set<Integer> UNFINISHED =
      Set.of(
          2, // IO
          3, // HYPERCALL
          6, // MMIO
          27, // HYPERV
          29, // X86_RDMSR
          30, // X86_WRMSR
          32, // AP_RESET_HOLD
          33, // X86_BUS_LOCK
          34); // XEN

  /** How long threads run on before it is looked where they are, in milliseconds. */
  private static final long STEP_MILLIS = 200;

  /** FUTEX_CMD_MASK, FUTEX_WAIT and FUTEX_WAIT_BITSET of include/uapi/linux/futex.h. */
  private static final int FUTEX_COMMAND = ~(128 | 256);

  private static final Set<Integer> FUTEX_WAITS = Set.of(0, 9);

  /** Reasons up to this one are known. */
  private static final int LAST_KNOWN = 37;

  private static final int MEMORY_FAULT = 39;

  private final Map<Integer, Integer> vcpuByNumber = new HashMap<>();
  private final Set<Integer> vcpus;
  private final RunMappings mappings;
  private final RemoteTask lodger;
  private final Set<Integer> unsettled = new TreeSet<>();

  /** Vcpus that were settled on the way, by the number of the thread that is held there. */
  private final Map<Integer, Integer> held = new HashMap<>();

  private boolean came;

  private Settling(
      Map<Integer, DescriptorResource> vcpus, RunMappings mappings, RemoteTask lodger) {
    this.vcpus = vcpus.keySet();
    this.mappings = mappings;
    this.lodger = lodger;
    vcpus.forEach(
        (id, resource) -> {
          for (RemoteFd number : resource.numbers()) {
            vcpuByNumber.put(number.number(), id);
          }
        });
  }

  /**
   * Settles all vcpus.
   *
   * @param pid the target, for the message
   * @param limitMillis how long the process is waited for
   * @return whether the process was let run on for that
   * @throws RefusedException naming those that did not come
   */
  static boolean settle(
      Map<Integer, DescriptorResource> vcpus,
      RunMappings mappings,
      SettleContext context,
      int pid,
      long limitMillis) {
    Settling settling = new Settling(vcpus, mappings, context.lodger());
    List<ThreadCall> held = settling.look(context.threads());
    // Who stopped the guest has had its accesses finished; what the last exit was says nothing
    // then.
    if (settling.unsettled.isEmpty() || context.guestRests()) {
      return false;
    }
    long deadline = System.nanoTime() + limitMillis * 1_000_000;
    // In steps, for a guest that its monitor keeps stopped is not to be waited for long.
    while (!context.advance(held, settling, STEP_MILLIS)) {
      // Some may stand in a KVM_RUN that the end of the time has cut short.
      settling.unsettled.clear();
      List<ThreadCall> threads = context.threads();
      held = settling.look(threads);
      settling.unsettled.removeAll(settling.held.values());
      if (settling.unsettled.isEmpty() || settling.rests(threads)) {
        return true;
      }
      if (System.nanoTime() > deadline) {
        break;
      }
    }
    if (!settling.unsettled.isEmpty()) {
      throw settling.refused(pid);
    }
    return true;
  }

  /** Whether the monitor did nothing for any vcpu in a whole step, and keeps a thread for each. */
  private boolean rests(List<ThreadCall> threads) {
    int waiting = 0;
    for (ThreadCall thread : threads) {
      boolean waits =
          thread.number() == Nr.FUTEX
              && FUTEX_WAITS.contains((int) (long) thread.arguments().get(1) & FUTEX_COMMAND)
              && thread.arguments().get(3) == 0;
      waiting += waits ? 1 : 0;
    }
    boolean idle = !came;
    came = false;
    return idle && waiting >= unsettled.size();
  }

  /** Sees which vcpus are unsettled; the threads of the others that stand in KVM_RUN stay there. */
  private List<ThreadCall> look(List<ThreadCall> threads) {
    List<ThreadCall> stay = new ArrayList<>();
    Set<Integer> interrupted = new HashSet<>();
    for (ThreadCall thread : threads) {
      Integer vcpu = runs(thread);
      if (held.containsKey(thread.tid().number())) {
        stay.add(thread);
      } else if (vcpu != null && thread.result() == -Errno.EINTR) {
        interrupted.add(vcpu);
        stay.add(thread);
      }
    }
    for (int vcpu : vcpus) {
      if (!interrupted.contains(vcpu) && isUnfinished(vcpu)) {
        unsettled.add(vcpu);
      }
    }
    return stay;
  }

  private @Nullable Integer runs(ThreadCall call) {
    if (call.number() != Nr.IOCTL || (int) (long) call.arguments().get(1) != (int) KvmIoctl.RUN) {
      return null;
    }
    return vcpuByNumber.get((int) (long) call.arguments().get(0));
  }

  private boolean isUnfinished(int vcpu) {
    RunMappings.Mapping mapping = mappings.byVcpu().get(vcpu);
    if (mapping == null) {
      // Who never mapped it cannot answer an exit, so nothing can be waiting for an answer.
      return false;
    }
    int reason =
        Calls.view(lodger.read(mapping.start().plus(KvmLayout.RUN_EXIT_REASON), Integer.BYTES))
            .getInt(0);
    return UNFINISHED.contains(reason) || (reason > LAST_KNOWN && reason != MEMORY_FAULT);
  }

  @Override
  public Interest entering(ThreadCall call) {
    return runs(call) == null ? Interest.NONE : Interest.CUT_SHORT;
  }

  @Override
  public Next left(ThreadCall call) {
    int vcpu = vcpuByNumber.getOrDefault((int) (long) call.arguments().get(0), -1);
    came = true;
    if (call.result() == -Errno.EINTR) {
      unsettled.remove(vcpu);
      held.put(call.tid().number(), vcpu);
      return Next.HOLD_AND_REPEAT;
    }
    // Another part of the same access, or an error that is the process' own business.
    if (isUnfinished(vcpu)) {
      unsettled.add(vcpu);
    } else {
      unsettled.remove(vcpu);
    }
    return Next.RUN;
  }

  @Override
  public boolean content() {
    return unsettled.isEmpty();
  }

  private RefusedException refused(int pid) {
    List<Refusal> refusals = new ArrayList<>();
    for (int vcpu : unsettled) {
      refusals.add(
          new Refusal(
              "vcpu:" + vcpu,
              "an access of its guest is half done, and the process did not finish it in time",
              "try again, or let the guest go on if it is stopped"));
    }
    return new RefusedException("snapshot of " + pid, refusals);
  }
}
