// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.state.Calls;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a vcpu says it is: the leaves of CPUID.
 *
 * <pre>
 * struct kvm_cpuid2        0 nent    4 padding   8 entries, 40 bytes each
 * struct kvm_cpuid_entry2  0 function  4 index  8 flags  12 eax  16 ebx  20 ecx  24 edx  28 padding
 * </pre>
 */
final class Cpuid {
  /** The leaf that tells how wide addresses are. */
  static final int ADDRESS_SIZES = 0x80000008;

  /** KVM_CPUID_FLAG_SIGNIFCANT_INDEX. */
  private static final int INDEXED = 1;

  /** The leaf of the hypervisor's features, if the hypervisor says it is KVM. */
  private static final int KVM_FEATURES = 0x40000001;

  private static final int KVM_SIGNATURE = 0x40000000;
  private static final int SIGNATURE_EBX = 0x4b4d564b;

  /**
   * Words that are feature bits, one each: leaf, index, register (0 eax … 3 edx), bits that say how
   * the vcpu is used or placed and no feature of the host: they are left out.
   *
   * <p>Leaf 1: MONITOR, OSXSAVE, HYPERVISOR; APIC, HTT. Leaf 7: OSPKE. Leaf 0x80000001: CMP_LEGACY.
   */
  private static final int[][] FEATURES = {
    {1, 0, 2, 1 << 3 | 1 << 27 | 1 << 31},
    {1, 0, 3, 1 << 9 | 1 << 28},
    {6, 0, 0, 0},
    {7, 0, 1, 0},
    {7, 0, 2, 1 << 4},
    {7, 0, 3, 0},
    {7, 1, 0, 0},
    {7, 1, 1, 0},
    {7, 1, 2, 0},
    {7, 1, 3, 0},
    {7, 2, 3, 0},
    {0xd, 0, 0, 0},
    {0xd, 0, 3, 0},
    {0xd, 1, 0, 0},
    {0xd, 1, 2, 0},
    {0xd, 1, 3, 0},
    {0x12, 0, 0, 0},
    {0x14, 0, 1, 0},
    {0x19, 0, 1, 0},
    {0x1e, 1, 0, 0},
    {KVM_FEATURES, 0, 0, 0},
    {0x80000001, 0, 2, 1 << 1},
    {0x80000001, 0, 3, 0},
    {0x80000007, 0, 3, 0},
    {ADDRESS_SIZES, 0, 1, 0},
    {0x8000000a, 0, 3, 0},
    {0x80000021, 0, 0, 0},
    {0x80000022, 0, 0, 0},
  };

  /** One entry. */
  record Entry(int function, int index, int flags, int[] registers) {}

  /** A bit that is set. */
  record Feature(int function, int index, int register, int bit) {}

  private final Map<Long, Entry> entries = new LinkedHashMap<>();

  /**
   * @param struct struct kvm_cpuid2
   */
  Cpuid(byte[] struct) {
    ByteBuffer view = Calls.view(struct);
    int count = view.getInt(0);
    for (int i = 0; i < count; i++) {
      int at = KvmLayout.CPUID_HEADER + i * KvmLayout.CPUID_ENTRY;
      int[] registers = new int[4];
      for (int r = 0; r < registers.length; r++) {
        registers[r] = view.getInt(at + 12 + r * Integer.BYTES);
      }
      Entry entry = new Entry(view.getInt(at), view.getInt(at + 4), view.getInt(at + 8), registers);
      entries.putIfAbsent(key(entry), entry);
    }
  }

  private Cpuid(Map<Long, Entry> entries) {
    this.entries.putAll(entries);
  }

  private static long key(Entry entry) {
    return key(entry.function(), (entry.flags() & INDEXED) != 0 ? entry.index() : 0);
  }

  private static long key(int function, int index) {
    return (long) function << 32 | (index & 0xffffffffL);
  }

  /** struct kvm_cpuid2. */
  byte[] struct() {
    byte[] bytes = new byte[KvmLayout.CPUID_HEADER + entries.size() * KvmLayout.CPUID_ENTRY];
    ByteBuffer view = Calls.view(bytes);
    view.putInt(0, entries.size());
    int at = KvmLayout.CPUID_HEADER;
    for (Entry entry : entries.values()) {
      view.putInt(at, entry.function()).putInt(at + 4, entry.index()).putInt(at + 8, entry.flags());
      for (int r = 0; r < entry.registers().length; r++) {
        view.putInt(at + 12 + r * Integer.BYTES, entry.registers()[r]);
      }
      at += KvmLayout.CPUID_ENTRY;
    }
    return bytes;
  }

  private @Nullable Entry entry(int function, int index) {
    return entries.get(key(function, index));
  }

  /** A register of a leaf, 0 for one that is not there. */
  int register(int function, int index, int register) {
    Entry entry = entry(function, index);
    return entry == null ? 0 : entry.registers()[register];
  }

  /** How many bits a guest-physical address has; 36 if it does not say. */
  int physicalBits() {
    int bits = register(ADDRESS_SIZES, 0, 0) & 0xff;
    return bits == 0 ? 36 : bits;
  }

  private boolean saysKvm() {
    return register(KVM_SIGNATURE, 0, 1) == SIGNATURE_EBX;
  }

  /** What a word has that is a feature of the host. */
  private int features(int[] word) {
    if (word[0] == KVM_FEATURES && !saysKvm()) {
      return 0;
    }
    return register(word[0], word[1], word[2]) & ~word[3];
  }

  /**
   * The features that the guest was shown, that its old host had, and that this host has not.
   *
   * @param then what the old host could show; null if that is not known: then all that the guest
   *     was shown
   * @param now what this host can show
   */
  List<Feature> missing(@Nullable Cpuid then, Cpuid now) {
    List<Feature> missing = new ArrayList<>();
    for (int[] word : FEATURES) {
      int bits = lost(word, then, now);
      for (int bit = 0; bit < Integer.SIZE; bit++) {
        if ((bits >>> bit & 1) != 0) {
          missing.add(new Feature(word[0], word[1], word[2], bit));
        }
      }
    }
    return missing;
  }

  private int lost(int[] word, @Nullable Cpuid then, Cpuid now) {
    int had = then == null ? -1 : then.features(word);
    return features(word) & had & ~now.features(word);
  }

  /** What it says, without the features that this host has not. */
  Cpuid masked(@Nullable Cpuid then, Cpuid now) {
    Cpuid masked = new Cpuid(entries);
    for (int[] word : FEATURES) {
      Entry entry = entry(word[0], word[1]);
      int lost = lost(word, then, now);
      if (entry != null && lost != 0) {
        int[] registers = entry.registers().clone();
        registers[word[2]] &= ~lost;
        masked.entries.put(
            key(entry), new Entry(entry.function(), entry.index(), entry.flags(), registers));
      }
    }
    return masked;
  }

  /**
   * What this host can show, on the place in the machine and with the hypervisor's name this one
   * has: APIC ids, topology, caches and the leaves from 0x40000000 on stay.
   */
  Cpuid onHost(Cpuid now) {
    Cpuid other = new Cpuid(now.entries);
    other.entries.values().removeIf(entry -> isPlace(entry.function()));
    for (Entry entry : entries.values()) {
      if (isPlace(entry.function())) {
        other.entries.put(key(entry), entry);
      }
    }
    // Leaf 1: how many there are, and the APIC id. Leaf 0x80000008: how many there are.
    keep(other, 1, 1, 0xffff0000);
    keep(other, 1, 3, 1 << 28 | 1 << 9);
    keep(other, 1, 2, 1 << 31);
    keep(other, ADDRESS_SIZES, 2, 0xffff);
    return other;
  }

  private static boolean isPlace(int function) {
    return function == 4
        || function == 0xb
        || function == 0x1f
        || function == 0x8000001d
        || function == 0x8000001e
        || function >>> 28 == 4;
  }

  private void keep(Cpuid other, int function, int register, int bits) {
    Entry entry = other.entry(function, 0);
    if (entry != null) {
      int[] registers = entry.registers().clone();
      registers[register] =
          (registers[register] & ~bits) | (register(function, 0, register) & bits);
      other.entries.put(
          key(entry), new Entry(entry.function(), entry.index(), entry.flags(), registers));
    }
  }
}
