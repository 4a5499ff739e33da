// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** A virtual machine in this very process, with what was really set, by calls of the test's own. */
final class OwnMachine implements AutoCloseable {
  static final long PAGE = 4096;
  static final int LOGGED = 1;
  static final int READONLY = 2;

  private static final long CREATE_VM = 0xAE01;
  private static final long CREATE_IRQCHIP = 0xAE60;
  private static final long SET_REGION = 0x4020AE46L;
  private static final long SET_REGION2 = 0x40A0AE49L;
  private static final long CLEAR_DIRTY_LOG = 0xC018AEC0L;

  /** A slot as it was set. */
  record Slot(int id, int flags, long gpa, long bytes, long hva) {}

  private record Mapping(long start, long bytes) {}

  private final QuickTask task;
  private final int system;
  private final int vm;
  private final List<Mapping> mappings = new ArrayList<>();
  private final List<Slot> slots = new ArrayList<>();

  OwnMachine(QuickTask task) {
    this.task = task;
    byte[] path = "/dev/kvm\0".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    task.write(task.scratch(), path);
    // O_RDWR | O_CLOEXEC
    system =
        (int) task.call("openat", "/dev/kvm", Nr.OPENAT, -100, task.scratch().value(), 0x80002);
    vm = (int) task.call("ioctl(KVM_CREATE_VM)", "kvm", Nr.IOCTL, system, CREATE_VM, 0);
  }

  RemoteFd fd() {
    return new RemoteFd(vm);
  }

  List<Slot> slots() {
    return slots;
  }

  void createIrqchip() {
    task.call("ioctl(KVM_CREATE_IRQCHIP)", "vm", Nr.IOCTL, vm, CREATE_IRQCHIP, 0);
  }

  /** Memory that costs nothing until it is touched, with an inaccessible page on either side. */
  long map(long bytes, boolean memfd) {
    // PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    long whole = bytes + 2 * PAGE;
    long at = task.call("mmap", bytes + " bytes", Nr.MMAP, 0, whole, 0, 0x4022, -1, 0) + PAGE;
    mappings.add(new Mapping(at - PAGE, whole));
    long fd = -1;
    // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, or with MAP_SHARED
    long flags = 0x4032;
    if (memfd) {
      task.write(task.scratch(), new byte[] {'m', 0});
      fd = task.call("memfd_create", "m", Nr.MEMFD_CREATE, task.scratch().value(), 1);
      task.call("ftruncate", "m", Nr.FTRUNCATE, fd, bytes);
      flags = 0x4011;
    }
    task.call("mmap", bytes + " bytes", Nr.MMAP, at, bytes, 3, flags, fd, 0);
    if (fd >= 0) {
      task.call("close", "m", Nr.CLOSE, fd);
    }
    return at;
  }

  /** Whether an address lies in memory of the machine. */
  boolean mapped(long address) {
    return mappings.stream()
        .anyMatch(each -> address >= each.start() && address < each.start() + each.bytes());
  }

  void set(Slot slot) {
    long answer = trySet(slot);
    if (answer != 0) {
      throw new AssertionError(slot + ": " + answer);
    }
    slots.add(slot);
  }

  /** Puts in what a search leaves when it is killed: a page at the end, of no memory. */
  boolean leavePeg(int id) {
    for (int bits = 52; bits >= 36; bits--) {
      if (trySet(new Slot(id, READONLY, (1L << bits) - PAGE, PAGE, 0)) == 0) {
        return true;
      }
    }
    return false;
  }

  private long trySet(Slot slot) {
    byte[] region = region(slot.id(), slot.flags(), slot.gpa(), slot.bytes(), slot.hva(), 32);
    task.write(task.scratch(), region);
    return task.tryCall(Nr.IOCTL, vm, SET_REGION, task.scratch().value());
  }

  /** Makes an ioctl of the vm; what it returned, or minus the errno. */
  long tryIoctl(long request, byte[] argument) {
    task.write(task.scratch(), argument);
    return task.tryCall(Nr.IOCTL, vm, request, task.scratch().value());
  }

  /** What an ioctl makes of an argument. */
  byte[] ioctl(long request, byte[] argument) {
    long answer = tryIoctl(request, argument);
    if (answer < 0) {
      throw new AssertionError("ioctl " + Long.toHexString(request) + ": " + answer);
    }
    return task.read(task.scratch(), argument.length);
  }

  /**
   * Whether all slots are as they were set and there is nothing else: a slot set to what it is
   * remains it.
   */
  List<String> differences() {
    List<String> differences = new ArrayList<>();
    long at = 0;
    for (Slot slot :
        slots.stream().sorted(java.util.Comparator.comparingLong(Slot::gpa)).toList()) {
      if (exists(slot.id()) != 1) {
        differences.add(slot + " is gone");
        continue;
      }
      byte[] log = new byte[24];
      ByteBuffer.wrap(log).order(ByteOrder.LITTLE_ENDIAN).putInt(slot.id());
      task.write(task.scratch(), log);
      boolean logged = task.tryCall(Nr.IOCTL, vm, CLEAR_DIRTY_LOG, task.scratch().value()) == 0;
      long answer = trySet(slot);
      if (answer != 0 || logged != ((slot.flags() & LOGGED) != 0)) {
        differences.add(slot + ": " + answer + ", logged " + logged);
      }
      differences.addAll(occupied(at, slot.gpa()));
      at = slot.gpa() + slot.bytes();
    }
    differences.addAll(occupied(at, 1L << 52));
    return differences;
  }

  private List<String> occupied(long from, long to) {
    List<String> differences = new ArrayList<>();
    long most = ((1L << 31) - 1) * PAGE;
    for (long at = from; at < to; at += most) {
      long answer = probe(30_000, at, Math.min(most, to - at));
      if (answer != -9) {
        differences.add("0x" + Long.toHexString(at) + " is not free: " + answer);
      }
    }
    return differences;
  }

  private int exists(int id) {
    return probe(id, slots.get(0).gpa(), PAGE) == -22 ? 1 : 0;
  }

  private long probe(int id, long gpa, long bytes) {
    byte[] region = region(id, 4, gpa, bytes, 0, 160);
    ByteBuffer.wrap(region).order(ByteOrder.LITTLE_ENDIAN).putInt(40, -1);
    task.write(task.scratch(), region);
    return task.tryCall(Nr.IOCTL, vm, SET_REGION2, task.scratch().value());
  }

  private static byte[] region(int id, int flags, long gpa, long bytes, long hva, int length) {
    byte[] region = new byte[length];
    ByteBuffer.wrap(region)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(id)
        .putInt(flags)
        .putLong(gpa)
        .putLong(bytes)
        .putLong(hva);
    return region;
  }

  @Override
  public void close() {
    task.call("close", "vm", Nr.CLOSE, vm);
    task.call("close", "kvm", Nr.CLOSE, system);
    for (Mapping each : mappings) {
      task.call(
          "munmap", new RemoteAddress(each.start()) + "", Nr.MUNMAP, each.start(), each.bytes());
    }
  }
}
