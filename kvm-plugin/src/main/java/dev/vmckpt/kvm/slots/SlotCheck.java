// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The check that slots still are what was found, put together while the target runs: its questions
 * go into a batch that is run in the frozen target. There are half a thousand of them, as nothing
 * else in all of guest-physical memory may be occupied.
 */
public final class SlotCheck {
  private final FoundSlots found;
  private final List<Confirmation> spaces;
  private final List<List<Questions.Asked>> asked = new ArrayList<>();

  private SlotCheck(FoundSlots found, List<Confirmation> spaces) {
    this.found = found;
    this.spaces = spaces;
  }

  /** Null if this KVM cannot be asked without a slot of our own. */
  static @Nullable SlotCheck of(
      RemoteTask task, RemoteFd vm, FoundSlots found, int numbers, boolean memFd) {
    List<Confirmation> spaces = Confirmation.prepare(task, vm, found, numbers, memFd);
    return spaces == null ? null : new SlotCheck(found, spaces);
  }

  /** How many calls it adds. */
  public int calls() {
    int calls = 0;
    for (Confirmation space : spaces) {
      for (Questions each : space.questions()) {
        calls += each.count();
      }
    }
    return calls;
  }

  /** How many bytes their arguments take. */
  public int bytes() {
    int bytes = 0;
    for (Confirmation space : spaces) {
      for (Questions each : space.questions()) {
        bytes += each.bytes();
      }
    }
    return bytes;
  }

  /** Adds the questions to a batch. */
  public void ask(CallBatch batch) {
    for (Confirmation space : spaces) {
      List<Questions.Asked> here = new ArrayList<>();
      for (Questions each : space.questions()) {
        here.add(each.ask(batch, space.vm()));
      }
      asked.add(here);
    }
  }

  /**
   * Judges the answers, and asks what could not be asked before. The batch has run, and the target
   * is still frozen.
   *
   * @return the same slots, or with the order of neighbours put right; empty if the target has
   *     changed its slots since they were found
   */
  public Optional<FoundSlots> judge() {
    List<List<long[]>> answers = new ArrayList<>();
    for (List<Questions.Asked> here : asked) {
      List<long[]> ofSpace = new ArrayList<>();
      for (Questions.Asked each : here) {
        ofSpace.add(each.answers());
      }
      answers.add(ofSpace);
    }
    return judge(answers);
  }

  /** Asks now, and judges. */
  Optional<FoundSlots> run() {
    List<List<long[]>> answers = new ArrayList<>();
    for (Confirmation space : spaces) {
      answers.add(space.ask());
    }
    return judge(answers);
  }

  private Optional<FoundSlots> judge(List<List<long[]>> answers) {
    List<SlotImage> slots = new ArrayList<>();
    for (int i = 0; i < spaces.size(); i++) {
      List<SlotImage> placed = spaces.get(i).judge(answers.get(i));
      if (placed == null) {
        return Optional.empty();
      }
      slots.addAll(placed);
    }
    return Optional.of(new FoundSlots(slots, found.own()));
  }
}
