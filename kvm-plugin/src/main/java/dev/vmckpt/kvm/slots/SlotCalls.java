// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Questions about the memory slots of one address space of a vm that KVM answers without changing
 * anything, whatever the target does meanwhile; two of them are asked by a {@link Trial} where KVM
 * does not know that way.
 *
 * <p>Most are asked by KVM_SET_USER_MEMORY_REGION2 with KVM_MEM_GUEST_MEMFD and a descriptor that
 * is none: for a number that is in use it is EINVAL (such slots cannot be changed), else over
 * occupied addresses EEXIST, else EBADF. Nothing else can come of it.
 *
 * <pre>
 * kvm_userspace_memory_region(2)
 *   0 slot, address space in its upper half   4 flags   8 gpa   16 bytes   24 hva
 *   32 guest_memfd offset   40 guest_memfd   44 … 160 zero
 * kvm_clear_dirty_log   0 slot   4 pages   8 first page   16 bitmap
 * </pre>
 */
final class SlotCalls {
  static final long PAGE = 4096;

  /** The largest slot KVM makes: 2^31 - 1 pages (KVM_MEM_MAX_NR_PAGES). */
  static final long MOST_BYTES = ((1L << 31) - 1) * PAGE;

  /** How many of the highest numbers are looked through for one that nobody has. */
  static final int OWN_NUMBERS = 16;

  static final int READONLY = 2;

  static final int REGION_BYTES = KvmLayout.MEMORY_REGION;
  static final int HVA_OFFSET = 24;
  static final int SIZE_OFFSET = 16;
  static final int GPA_OFFSET = 8;

  /** _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2), since Linux 6.8. */
  private static final long SET_REGION2 = 0x40A0AE49L;

  private static final int REGION2_BYTES = 160;
  private static final int GUEST_MEMFD_OFFSET = 40;
  private static final int GUEST_MEMFD = 4;
  private static final int LOG_BYTES = 24;
  private static final int LOG_BITMAP_OFFSET = 16;

  /** First pages of KVM_CLEAR_DIRTY_LOG are multiples of this. */
  private static final int LOG_UNIT = 64;

  private final RemoteTask task;
  private final RemoteFd vm;
  private final int space;
  private final boolean intrusive;
  private int freeId;
  private long made;

  private SlotCalls(RemoteTask task, RemoteFd vm, int space, int freeId, boolean intrusive) {
    this.task = task;
    this.vm = vm;
    this.space = space;
    this.freeId = freeId;
    this.intrusive = intrusive;
  }

  /**
   * Looks for a number that no slot has, to ask with.
   *
   * @param space the address space, from 0
   * @param numbers how many slots the vm may have (KVM_CAP_NR_MEMSLOTS)
   * @param memFd whether KVM_MEM_GUEST_MEMFD may be tried: before Linux 6.18 KVM accepts it of vms
   *     for confidential guests only, before 6.8 of none
   * @return calls that are {@link #intrusive} if KVM does not know the harmless questions
   */
  static SlotCalls of(RemoteTask task, RemoteFd vm, int space, int numbers, boolean memFd) {
    // The highest is left to the peg, which is to be found again if we are killed.
    for (int id = numbers - 2; memFd && id >= Math.max(0, numbers - OWN_NUMBERS); id--) {
      SlotCalls calls = new SlotCalls(task, vm, space, id, false);
      long answer = calls.run(calls.occupation(id, List.of(new Range(0, PAGE))))[0];
      if (answer == -Errno.EEXIST || answer == -Errno.EBADF) {
        return calls;
      }
    }
    return new SlotCalls(task, vm, space, -1, true);
  }

  /**
   * Whether {@link #occupied} and {@link #pages} have to make a slot and delete it to learn whether
   * there is room for it: only in a frozen target, and only after {@link #seekFreeId}.
   */
  boolean intrusive() {
    return intrusive;
  }

  /**
   * Finds a number to ask with, where it is not known yet.
   *
   * @param page a page that stays occupied meanwhile
   */
  void seekFreeId(int numbers, Range page) {
    if (freeId >= 0) {
      return;
    }
    for (int id = numbers - 1; id >= Math.max(0, numbers - OWN_NUMBERS); id--) {
      if (!exist(List.of(id), page)[0]) {
        freeId = id;
        return;
      }
    }
    throw unexpected(-Errno.EINVAL, "ioctl(KVM_SET_USER_MEMORY_REGION)", "a slot of our own");
  }

  RemoteTask task() {
    return task;
  }

  RemoteFd vm() {
    return vm;
  }

  /** The address space. */
  int space() {
    return space;
  }

  /** A number that no slot has. */
  int freeId() {
    return freeId;
  }

  /** How many calls were made so far. */
  long made() {
    return made;
  }

  /**
   * Makes a call on the structure at the scratch place again and again.
   *
   * @param field the offset of what {@code step} is added to after each call
   * @return how many calls were answered as usual
   */
  long sweep(long request, int field, long step, long count, long usual) {
    RemoteAddress at = task.scratch();
    long number = vm.number();
    long same =
        task.sweep(Nr.IOCTL, number, request, at.value(), at.plus(field), step, count, usual);
    made += Math.min(count, same + 1);
    return same;
  }

  /** A slot's number as KVM wants it: the address space in the upper half. */
  int number(int id) {
    return space << 16 | id;
  }

  /** Whether any page of each range belongs to a slot, or to KVM itself. */
  boolean[] occupied(List<Range> ranges) {
    if (intrusive) {
      return new Trial(this).occupied(ranges);
    }
    return areOccupied(run(occupation(ranges)));
  }

  /** Asks whether ranges are occupied, in a way that is not {@link #intrusive}. */
  Questions occupation(List<Range> ranges) {
    return occupation(freeId, ranges);
  }

  /** What the answers to {@link #occupation} say. */
  boolean[] areOccupied(long[] answers) {
    boolean[] occupied = new boolean[answers.length];
    for (int i = 0; i < answers.length; i++) {
      occupied[i] = isOccupied(answers[i]);
    }
    return occupied;
  }

  private boolean isOccupied(long answer) {
    if (answer == -Errno.EEXIST) {
      return true;
    } else if (answer == -Errno.EBADF) {
      return false;
    } else if (answer == -Errno.EINVAL) {
      throw new SlotsChangedException("slot " + freeId + " was made");
    }
    throw unexpected(answer, "ioctl(KVM_SET_USER_MEMORY_REGION2)", "memory slots of " + vm);
  }

  /**
   * How many pages from the start of a range are all occupied, or all free; at most all.
   *
   * @param occupied which of both
   */
  long pages(Range range, boolean occupied) {
    if (intrusive) {
      return new Trial(this).pages(range, occupied);
    }
    byte[] region = region2(freeId, range.start(), PAGE);
    task.write(task.scratch(), region);
    long usual = occupied ? -Errno.EEXIST : -Errno.EBADF;
    return sweep(SET_REGION2, GPA_OFFSET, PAGE, range.bytes() / PAGE, usual);
  }

  /**
   * The numbers of all slots, ascending.
   *
   * @param numbers how many slots the vm may have
   * @param page a page that stays occupied meanwhile
   */
  List<Integer> ids(int numbers, Range page) {
    List<Integer> ids = new ArrayList<>();
    for (int from = 0; from < numbers; ) {
      task.write(task.scratch(), stranger(from, page));
      // The number is the lower half of the first eight bytes, the flags the upper.
      long free = sweep(strangerRequest(), 0, 1, numbers - from, -Errno.EEXIST);
      if (from + free < numbers) {
        ids.add((int) (from + free));
      }
      from += (int) free + 1;
    }
    return ids;
  }

  /** Whether each number is a slot's; {@code page} must be occupied. */
  boolean[] exist(List<Integer> ids, Range page) {
    return doExist(run(existence(ids, page)));
  }

  /** Asks whether each number is a slot's. */
  Questions existence(List<Integer> ids, Range page) {
    int bytes = intrusive ? REGION_BYTES : REGION2_BYTES;
    byte[] all = new byte[ids.size() * bytes];
    for (int i = 0; i < ids.size(); i++) {
      put(all, i, stranger(ids.get(i), page));
    }
    return new Questions(strangerRequest(), all, bytes);
  }

  /** What the answers to {@link #existence} say. */
  static boolean[] doExist(long[] answers) {
    boolean[] exist = new boolean[answers.length];
    for (int i = 0; i < answers.length; i++) {
      exist[i] = answers[i] == -Errno.EINVAL;
    }
    return exist;
  }

  /**
   * Whether each slot's writes are logged: clearing no page of a log is ENOENT when there is none.
   *
   * @throws SyscallException ENXIO if the vm keeps a ring of written pages instead
   *     (KVM_CAP_DIRTY_LOG_RING): which slots it is kept for cannot be asked
   */
  boolean[] logged(List<Integer> ids) {
    return areLogged(ids, run(logging(ids)));
  }

  /** Asks whether each slot's writes are logged. */
  Questions logging(List<Integer> ids) {
    byte[] all = new byte[ids.size() * LOG_BYTES];
    for (int i = 0; i < ids.size(); i++) {
      log(all, i, ids.get(i), 0, 0);
    }
    return new Questions(KvmIoctl.CLEAR_DIRTY_LOG, all, LOG_BYTES);
  }

  /** What the answers to {@link #logging} say. */
  static boolean[] areLogged(List<Integer> ids, long[] answers) {
    boolean[] logged = new boolean[answers.length];
    for (int i = 0; i < answers.length; i++) {
      logged[i] = answers[i] == 0;
      if (answers[i] != 0 && answers[i] != -Errno.ENOENT) {
        throw unexpected(answers[i], "ioctl(KVM_CLEAR_DIRTY_LOG)", "slot " + ids.get(i));
      }
    }
    return logged;
  }

  /**
   * The size in bytes of a slot whose writes are logged. Clearing pages of its log, from a bitmap
   * that names none, is EINVAL beyond its end, and its last pages may be fewer than 64 only if they
   * are exactly the last.
   */
  long loggedBytes(int id) {
    long units = 0;
    for (long step = Long.highestOneBit(MOST_BYTES / PAGE / LOG_UNIT); step > 0; step >>= 1) {
      byte[] one = new byte[LOG_BYTES];
      log(one, 0, id, (units + step) * LOG_UNIT, 0);
      if (run(new Questions(KvmIoctl.CLEAR_DIRTY_LOG, one, LOG_BYTES))[0] == 0) {
        units += step;
      }
    }
    byte[] all = new byte[LOG_UNIT * LOG_BYTES];
    RemoteAddress none = task.scratch();
    task.write(none, new byte[Long.BYTES]);
    for (int rest = 0; rest < LOG_UNIT; rest++) {
      log(all, rest, id, units * LOG_UNIT, rest);
      ByteBuffer.wrap(all)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putLong(rest * LOG_BYTES + LOG_BITMAP_OFFSET, none.value());
    }
    long[] answers = run(new Questions(KvmIoctl.CLEAR_DIRTY_LOG, all, LOG_BYTES));
    // No page at all is always in order, if the first page is within.
    for (int rest = 1; rest < LOG_UNIT; rest++) {
      if (answers[rest] == 0) {
        return (units * LOG_UNIT + rest) * PAGE;
      }
    }
    if (units == 0 || answers[0] != 0) {
      throw new SlotsChangedException("slot " + id + " is no longer logged");
    }
    return units * LOG_UNIT * PAGE;
  }

  /** Asks, and waits for the answers. */
  long[] run(Questions questions) {
    return run(questions, CallBatch.CALLS, false);
  }

  /**
   * The same, some at once.
   *
   * @param most how many at once
   * @param through whether those begun at once are all made even if we die meanwhile
   */
  long[] run(Questions questions, int most, boolean through) {
    long[] answers = new long[questions.count()];
    for (int from = 0; from < answers.length; from += most) {
      int count = Math.min(most, answers.length - from);
      CallBatch batch = task.batch();
      Questions.Asked asked = questions.part(from, from + count).ask(batch, vm);
      if (through) {
        batch.runThrough();
      } else {
        batch.run();
      }
      made += count;
      System.arraycopy(asked.answers(), 0, answers, from, count);
    }
    return answers;
  }

  private Questions occupation(int id, List<Range> ranges) {
    byte[] all = new byte[ranges.size() * REGION2_BYTES];
    for (int i = 0; i < ranges.size(); i++) {
      put(all, i, region2(id, ranges.get(i).start(), ranges.get(i).bytes()));
    }
    return new Questions(SET_REGION2, all, REGION2_BYTES);
  }

  private long strangerRequest() {
    return intrusive ? KvmIoctl.SET_USER_MEMORY_REGION : SET_REGION2;
  }

  /**
   * What no slot is, at an occupied page: EINVAL for a number in use, else EEXIST. Where nothing
   * can be mapped there is no slot but those of our own.
   */
  private byte[] stranger(int id, Range page) {
    return intrusive
        ? region(number(id), READONLY, page.start(), PAGE, PAGE)
        : region2(id, page.start(), PAGE);
  }

  /** struct kvm_userspace_memory_region; {@code number} with the address space. */
  static byte[] region(int number, int flags, long gpa, long bytes, long hva) {
    byte[] region = new byte[REGION_BYTES];
    ByteBuffer.wrap(region)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, number)
        .putInt(4, flags)
        .putLong(GPA_OFFSET, gpa)
        .putLong(SIZE_OFFSET, bytes)
        .putLong(HVA_OFFSET, hva);
    return region;
  }

  private static void put(byte[] all, int index, byte[] one) {
    System.arraycopy(one, 0, all, index * one.length, one.length);
  }

  private byte[] region2(int id, long gpa, long bytes) {
    byte[] region = new byte[REGION2_BYTES];
    ByteBuffer.wrap(region)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, number(id))
        .putInt(4, GUEST_MEMFD)
        .putLong(GPA_OFFSET, gpa)
        .putLong(SIZE_OFFSET, bytes)
        .putInt(GUEST_MEMFD_OFFSET, -1);
    return region;
  }

  private void log(byte[] all, int index, int id, long first, int pages) {
    ByteBuffer.wrap(all)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(index * LOG_BYTES, number(id))
        .putInt(index * LOG_BYTES + 4, pages)
        .putLong(index * LOG_BYTES + 8, first);
  }

  /** An answer that none of the questions has. */
  static SyscallException unexpected(long answer, String call, String subject) {
    return new SyscallException(call, (int) Math.max(0, -answer), subject);
  }
}
