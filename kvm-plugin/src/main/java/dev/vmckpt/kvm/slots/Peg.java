// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.error.Errno;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A slot of our own for as long as slots are looked for in a running target: a page near the end of
 * guest-physical memory, under the highest free number.
 *
 * <p>Whether a guess is right is asked by moving the slot onto it. KVM checks number, place in the
 * target, size and READONLY first (EINVAL), and then finds the peg in the way (EEXIST): nothing can
 * be moved, even if the target changes its slots in the same microsecond. Without a peg one would
 * have to aim at another slot of the target, which may go away between two calls; the slot would
 * then really be moved.
 *
 * <p>The price: taking the peg off makes KVM drop the guest's shadow pages once, as any removal of
 * a slot does; the snapshot that follows does that too, by its copy-on-write child. If we are
 * killed the peg stays: its memory is the page at 0, where nothing can be mapped, and is read-only,
 * so it holds nothing of anybody's; the next search takes it over.
 */
final class Peg implements AutoCloseable {
  /** From the widest guest-physical addresses there are to the narrowest of any 64-bit machine. */
  private static final int MOST_BITS = 52;

  private static final int LEAST_BITS = 36;
  private static final long NOWHERE = 0;

  private final SlotCalls calls;
  private final int id;
  private final Range page;

  private Peg(SlotCalls calls, int id, Range page) {
    this.calls = calls;
    this.id = id;
    this.page = page;
  }

  /**
   * Puts one in, or takes over one that was left behind.
   *
   * @param numbers how many slots the vm may have: one of the highest numbers is used
   * @throws dev.vmckpt.spi.error.SyscallException if KVM takes it nowhere
   */
  static Peg drive(SlotCalls calls, int numbers) {
    long answer = 0;
    for (int id = numbers - 1; id >= Math.max(0, numbers - SlotCalls.OWN_NUMBERS); id--) {
      for (int bits = MOST_BITS; bits >= LEAST_BITS && id != calls.freeId(); bits--) {
        Range page = new Range((1L << bits) - SlotCalls.PAGE, 1L << bits);
        Peg peg = new Peg(calls, id, page);
        // EINVAL is a number in use or an address that KVM has not got, EEXIST one that is taken.
        answer = peg.set(SlotCalls.PAGE);
        if (answer == 0) {
          return peg;
        }
      }
    }
    throw SlotCalls.unexpected(answer, "ioctl(KVM_SET_USER_MEMORY_REGION)", "a slot of our own");
  }

  /** The page that is surely occupied. */
  Range page() {
    return page;
  }

  int id() {
    return id;
  }

  /** Whether each guess is right; the slots must exist. */
  boolean[] right(List<Guess> guesses) {
    byte[] all = new byte[guesses.size() * SlotCalls.REGION_BYTES];
    for (int i = 0; i < guesses.size(); i++) {
      System.arraycopy(
          region(guesses.get(i)), 0, all, i * SlotCalls.REGION_BYTES, SlotCalls.REGION_BYTES);
    }
    long[] answers =
        calls.run(new Questions(KvmIoctl.SET_USER_MEMORY_REGION, all, SlotCalls.REGION_BYTES));
    boolean[] right = new boolean[answers.length];
    for (int i = 0; i < answers.length; i++) {
      right[i] = right(answers[i]);
    }
    return right;
  }

  /**
   * Tries places in the target one after another.
   *
   * @param first the first guess
   * @param step to be added to its place, in bytes
   * @param count how many
   * @return how many were wrong before one was right; {@code count} if all
   */
  long sweepPlaces(Guess first, long step, long count) {
    return sweep(first, SlotCalls.HVA_OFFSET, step, count);
  }

  /**
   * Tries sizes one after another; as {@link #sweepPlaces}.
   *
   * @param step 1 page or more
   */
  long sweepSizes(Guess first, long step, long count) {
    if (step < SlotCalls.PAGE || first.bytes() + step * count > SlotCalls.MOST_BYTES) {
      throw new IllegalArgumentException("steps of " + step + " bytes from " + first);
    }
    return sweep(first, SlotCalls.SIZE_OFFSET, step, count);
  }

  private long sweep(Guess first, int field, long step, long count) {
    calls.task().write(calls.task().scratch(), region(first));
    return calls.sweep(KvmIoctl.SET_USER_MEMORY_REGION, field, step, count, -Errno.EINVAL);
  }

  /** Takes it out: the only removal of a slot there is, and only of this one. */
  @Override
  public void close() {
    long answer = set(0);
    if (answer != 0) {
      throw SlotCalls.unexpected(
          answer, "ioctl(KVM_SET_USER_MEMORY_REGION)", "the slot of our own, " + id);
    }
  }

  private long set(long bytes) {
    byte[] region = new byte[SlotCalls.REGION_BYTES];
    ByteBuffer.wrap(region)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, calls.number(id))
        .putInt(4, SlotCalls.READONLY)
        .putLong(SlotCalls.GPA_OFFSET, page.start())
        .putLong(SlotCalls.SIZE_OFFSET, bytes)
        .putLong(SlotCalls.HVA_OFFSET, NOWHERE);
    return calls.run(new Questions(KvmIoctl.SET_USER_MEMORY_REGION, region, region.length))[0];
  }

  private static boolean right(long answer) {
    if (answer == -Errno.EEXIST) {
      return true;
    } else if (answer == -Errno.EINVAL) {
      return false;
    }
    throw SlotCalls.unexpected(answer, "ioctl(KVM_SET_USER_MEMORY_REGION)", "a memory slot");
  }

  private byte[] region(Guess guess) {
    if (guess.id() == id) {
      throw new IllegalArgumentException("slot " + id + " is the peg");
    }
    byte[] region = new byte[SlotCalls.REGION_BYTES];
    ByteBuffer.wrap(region)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, calls.number(guess.id()))
        .putInt(4, guess.readOnly() ? SlotCalls.READONLY : 0)
        .putLong(SlotCalls.GPA_OFFSET, page.start())
        .putLong(SlotCalls.SIZE_OFFSET, guess.bytes())
        .putLong(SlotCalls.HVA_OFFSET, guess.hva());
    return region;
  }
}
