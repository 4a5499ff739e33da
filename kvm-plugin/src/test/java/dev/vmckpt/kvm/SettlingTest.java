// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import dev.vmckpt.spi.remote.ThreadCall;
import dev.vmckpt.spi.remote.Tid;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** Vcpus are brought to where nothing is half done, and only those that are not there yet. */
class SettlingTest {
  private static final int IO = 2;
  private static final int HLT = 5;
  private static final int MMIO = 6;
  private static final int INTR = 10;
  private static final int PID = 4242;

  @Test
  void vcpuThatWasInterruptedIsLeftAlone() {
    Threads threads = new Threads(List.of(runs(1, 10, -Errno.EINTR)));
    // What it exited for before is long finished.
    threads.exitReason(0, IO);
    Settling.settle(vcpus(10), mappings(1), threads, PID, 100);
    assertThat(threads.advanced).isZero();
  }

  @Test
  void vcpuWithNothingToFinishIsLeftAlone() {
    Threads threads = new Threads(List.of(elsewhere(1), elsewhere(2)));
    threads.exitReason(0, HLT);
    threads.exitReason(1, INTR);
    Settling.settle(vcpus(10, 11), mappings(2), threads, PID, 100);
    assertThat(threads.advanced).isZero();
  }

  @Test
  void guestThatWasStoppedHasFinishedWhateverItsLastExitSays() {
    Threads threads = new Threads(List.of(elsewhere(1)));
    threads.exitReason(0, IO);
    threads.rests = true;
    Settling.settle(vcpus(10), mappings(1), threads, PID, 100);
    assertThat(threads.advanced).isZero();
  }

  @Test
  void unfinishedAccessIsFinishedByTheNextRun() {
    Threads threads = new Threads(List.of(elsewhere(1), runs(2, 11, -Errno.EINTR)));
    threads.exitReason(0, IO);
    threads.script =
        watch -> {
          assertThat(watch.entering(other(1))).isEqualTo(CallWatch.Interest.NONE);
          assertThat(watch.content()).isFalse();
          assertThat(watch.entering(runs(1, 10, -Errno.ENOSYS)))
              .isEqualTo(CallWatch.Interest.CUT_SHORT);
          assertThat(watch.left(runs(1, 10, -Errno.EINTR)))
              .isEqualTo(CallWatch.Next.HOLD_AND_REPEAT);
          return watch.content();
        };
    Settling.settle(vcpus(10, 11), mappings(2), threads, PID, 100);
    assertThat(threads.advanced).isEqualTo(1);
    assertThat(threads.held).containsExactly(runs(2, 11, -Errno.EINTR));
  }

  @Test
  void accessInSeveralPartsIsFollowedToItsEnd() {
    Threads threads = new Threads(List.of(elsewhere(1)));
    threads.exitReason(0, MMIO);
    threads.script =
        watch -> {
          watch.entering(runs(1, 10, -Errno.ENOSYS));
          // The write that belongs to the read.
          assertThat(watch.left(runs(1, 10, 0))).isEqualTo(CallWatch.Next.RUN);
          assertThat(watch.content()).isFalse();
          watch.entering(runs(1, 10, -Errno.ENOSYS));
          assertThat(watch.left(runs(1, 10, -Errno.EINTR)))
              .isEqualTo(CallWatch.Next.HOLD_AND_REPEAT);
          return watch.content();
        };
    Settling.settle(vcpus(10), mappings(1), threads, PID, 100);
    assertThat(threads.advanced).isEqualTo(1);
  }

  @Test
  void settledVcpuThatBeginsAnewIsWaitedForAgain() {
    Threads threads = new Threads(List.of(elsewhere(1), elsewhere(2)));
    threads.exitReason(0, IO);
    threads.exitReason(1, HLT);
    threads.script =
        watch -> {
          watch.entering(runs(2, 11, -Errno.ENOSYS));
          threads.exitReason(1, IO);
          assertThat(watch.left(runs(2, 11, 0))).isEqualTo(CallWatch.Next.RUN);
          watch.entering(runs(1, 10, -Errno.ENOSYS));
          watch.left(runs(1, 10, -Errno.EINTR));
          assertThat(watch.content()).as("the other one has an access under way").isFalse();
          watch.entering(runs(2, 11, -Errno.ENOSYS));
          watch.left(runs(2, 11, -Errno.EINTR));
          return watch.content();
        };
    Settling.settle(vcpus(10, 11), mappings(2), threads, PID, 100);
  }

  @Test
  void vcpuThatDoesNotComeIsRefusedByName() {
    Threads threads = new Threads(List.of(elsewhere(1)));
    threads.exitReason(0, MMIO);
    threads.script = watch -> false;
    assertThatThrownBy(() -> Settling.settle(vcpus(10), mappings(1), threads, PID, 100))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("vcpu:0")
        .hasMessageContaining("half done");
  }

  @Test
  void duplicateOfAVcpusDescriptorIsTheSameVcpu() {
    Threads threads = new Threads(List.of(runs(1, 20, -Errno.EINTR)));
    threads.exitReason(0, IO);
    Settling.settle(Map.of(0, vcpu(0, 10, 20)), mappings(1), threads, PID, 100);
    assertThat(threads.advanced).isZero();
  }

  private static ThreadCall runs(int tid, int fd, long result) {
    return new ThreadCall(
        new Tid(tid), Nr.IOCTL, List.of((long) fd, KvmIoctl.RUN, 0L, 0L, 0L, 0L), result);
  }

  private static ThreadCall elsewhere(int tid) {
    return new ThreadCall(new Tid(tid), ThreadCall.NONE, List.of(0L, 0L, 0L, 0L, 0L, 0L), 0);
  }

  private static ThreadCall other(int tid) {
    return new ThreadCall(
        new Tid(tid), Nr.IOCTL, List.of(10L, KvmIoctl.GET_REGS, 0L, 0L, 0L, 0L), 0);
  }

  private static Map<Integer, DescriptorResource> vcpus(int... fds) {
    Map<Integer, DescriptorResource> vcpus = new HashMap<>();
    for (int id = 0; id < fds.length; id++) {
      vcpus.put(id, vcpu(id, fds[id]));
    }
    return vcpus;
  }

  private static DescriptorResource vcpu(int id, int... fds) {
    List<RemoteFd> numbers = Arrays.stream(fds).mapToObj(RemoteFd::new).toList();
    return new DescriptorResource(
        PID,
        numbers,
        numbers.stream().map(fd -> true).toList(),
        "anon_inode:kvm-vcpu:" + id,
        new FileStat(0, 0, 0, 0, 0, 0, 0),
        new FdInfo(0, 2, List.of()));
  }

  private static RunMappings mappings(int count) {
    Map<Integer, RunMappings.Mapping> all = new HashMap<>();
    for (int id = 0; id < count; id++) {
      all.put(id, new RunMappings.Mapping(new RemoteAddress(id * 0x10000L), 4096));
    }
    return new RunMappings(all);
  }

  /** Threads that do what a test says when they are let go. */
  private static final class Threads implements SettleContext, RemoteTask {
    @Override
    public String maps() {
      throw new AssertionError("the mappings are given");
    }

    private final List<ThreadCall> threads;
    private final Map<Integer, Integer> reasons = new HashMap<>();
    private final List<ThreadCall> held = new ArrayList<>();
    private Predicate<CallWatch> script =
        watch -> {
          throw new AssertionError("nobody is to be moved");
        };
    private boolean rests;
    private int advanced;

    Threads(List<ThreadCall> threads) {
      this.threads = threads;
    }

    void exitReason(int vcpu, int reason) {
      reasons.put(vcpu, reason);
    }

    @Override
    public List<ThreadCall> threads() {
      return threads;
    }

    @Override
    public RemoteTask lodger() {
      return this;
    }

    @Override
    public boolean guestRests() {
      return rests;
    }

    @Override
    public boolean advance(List<ThreadCall> stay, CallWatch watch, long limitMillis) {
      advanced++;
      held.addAll(stay);
      return script.test(watch);
    }

    @Override
    public byte[] read(RemoteAddress from, int length) {
      assertThat(from.value() & 0xffff).isEqualTo(8);
      byte[] reason = new byte[length];
      reason[0] = (byte) (int) reasons.getOrDefault((int) (from.value() >>> 16), 0);
      return reason;
    }

    @Override
    public void write(RemoteAddress to, byte[] bytes) {
      throw new AssertionError("nothing of the target's is written");
    }

    @Override
    public int pid() {
      return PID;
    }

    @Override
    public long tryCall(int number, long... arguments) {
      throw new AssertionError("no call is made");
    }

    @Override
    public long call(String name, String subject, int number, long... arguments) {
      throw new AssertionError("no call is made");
    }

    @Override
    public RemoteAddress scratch() {
      throw new AssertionError("nothing is placed");
    }

    @Override
    public CallBatch batch() {
      throw new AssertionError("no call is made");
    }

    @Override
    public CallBatch tryPrepare(int calls, int bytes) {
      throw new AssertionError("nothing is asked while settling");
    }

    @Override
    public long sweep(
        int number, long a, long b, long c, RemoteAddress field, long step, long count, long u) {
      throw new AssertionError("no call is made");
    }
  }
}
