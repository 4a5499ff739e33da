// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

/**
 * What a slot may be: KVM answers whether all of it is right at once.
 *
 * @param id the slot's number, without the address space
 * @param readOnly KVM_MEM_READONLY
 * @param hva where its memory begins in the target, a multiple of the page size
 * @param bytes its size, at least a page: a size of 0 would delete the slot
 */
record Guess(int id, boolean readOnly, long hva, long bytes) {
  Guess {
    if (bytes < SlotCalls.PAGE || bytes > SlotCalls.MOST_BYTES || bytes % SlotCalls.PAGE != 0) {
      throw new IllegalArgumentException("a slot of " + bytes + " bytes");
    }
  }

  /** It with an address that is surely wrong. */
  Guess spoilt() {
    return new Guess(id, readOnly, hva ^ SlotCalls.PAGE, bytes);
  }
}
