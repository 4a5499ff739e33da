// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;

/**
 * One virtual machine as far as it was heard of: call by call it follows what KVM itself keeps, so
 * that what was replaced or removed is no longer there.
 *
 * <p>Layouts of include/uapi/linux/kvm.h:
 *
 * <pre>
 * kvm_userspace_memory_region  0 slot   4 flags   8 gpa   16 bytes   24 hva
 * kvm_irqfd                    0 fd     4 gsi     8 flags 12 resamplefd
 * kvm_ioeventfd                0 datamatch   8 addr   16 len   20 fd   24 flags
 * kvm_coalesced_mmio_zone      0 addr   8 size   12 pio
 * kvm_hyperv_eventfd           0 conn_id   4 fd   8 flags
 * kvm_device_attr              0 flags  4 group   8 attr  16 addr      | 24 the value
 * kvm_create_device            0 type   4 fd      8 flags
 * </pre>
 */
final class MachineSetup {
  static final String VM = "vm";
  private static final String DEVICE = "device:";
  private static final int IRQFD_DEASSIGN = 1;
  private static final int IRQFD_RESAMPLE = 2;
  private static final int IOEVENTFD_DATAMATCH = 1;
  private static final int IOEVENTFD_DEASSIGN = 4;
  private static final int HYPERV_DEASSIGN = 1;
  private static final int DEVICE_TYPE_VFIO = 4;
  private static final int VFIO_ADD = 1;
  private static final int VFIO_DEL = 2;
  private static final int ATTRIBUTE_BYTES = 24;

  private final int fd;
  private final long vmType;
  private final List<Integer> vcpus = new ArrayList<>();
  private final Set<Integer> entered = new HashSet<>();
  private final List<SettingsImage.Call> calls = new ArrayList<>();
  private final Map<Integer, SlotImage> slots = new LinkedHashMap<>();
  private final List<IrqFdImage> irqFds = new ArrayList<>();
  private final List<IoEventFdImage> ioEventFds = new ArrayList<>();

  /**
   * @param fd its descriptor in the monitor
   * @param vmType the argument of KVM_CREATE_VM
   */
  MachineSetup(int fd, long vmType) {
    this.fd = fd;
    this.vmType = vmType;
  }

  int fd() {
    return fd;
  }

  void vcpuMade(int id) {
    vcpus.add(id);
  }

  /** KVM_RUN of a vcpu; whether it is its first. */
  boolean vcpuEntered(int id) {
    return entered.add(id);
  }

  /** Whether a vcpu has run at all. */
  boolean runs() {
    return !entered.isEmpty();
  }

  /** Whether it has a vcpu, and each has run. */
  boolean runsWhole() {
    return !vcpus.isEmpty() && entered.containsAll(vcpus);
  }

  /** A device was made; {@code structure} as the kernel gave it back. */
  void deviceMade(int device, byte[] structure) {
    calls.removeIf(
        call ->
            call.on().equals(DEVICE + device)
                || (call.request() == KvmCall.CREATE_DEVICE.request()
                    && words(call.argument()).getInt(4) == device));
    add(VM, KvmCall.CREATE_DEVICE, structure);
  }

  /** What calls on a device's descriptor are filed under. */
  static String device(int fd) {
    return DEVICE + fd;
  }

  /** What calls on a vcpu are filed under. */
  static String vcpu(int id) {
    return "vcpu:" + id;
  }

  /** A call succeeded. */
  void set(String on, KvmCall call, byte[] argument) {
    ByteBuffer words = words(argument);
    switch (call) {
      case SET_USER_MEMORY_REGION, SET_USER_MEMORY_REGION2 -> setSlot(words);
      case IRQFD -> setIrqFd(words);
      case IOEVENTFD -> setIoEventFd(words);
      case UNREGISTER_COALESCED_MMIO -> unregisterZone(words);
      case HYPERV_EVENTFD -> setHypervEventFd(on, words, argument);
      case SET_DEVICE_ATTR -> setAttribute(on, words, argument);
      // Some capabilities add to what an earlier call of the same gave: each is kept.
      case ENABLE_CAP, REGISTER_COALESCED_MMIO -> addOnce(on, call, argument);
      default -> {
        remove(on, call);
        if (argument.length > 0) {
          add(on, call, argument);
        }
      }
    }
  }

  private void setSlot(ByteBuffer words) {
    int slot = words.getInt(0);
    long bytes = words.getLong(16);
    if (bytes == 0) {
      slots.remove(slot);
      return;
    }
    slots.put(
        slot,
        new SlotImage(
            slot & 0xffff,
            slot >>> 16,
            words.getInt(4),
            words.getLong(8),
            bytes,
            new RemoteAddress(words.getLong(24)),
            Finding.Source.RECORDED));
  }

  private void setIrqFd(ByteBuffer words) {
    int eventFd = words.getInt(0);
    int gsi = words.getInt(4);
    int flags = words.getInt(8);
    if ((flags & IRQFD_DEASSIGN) != 0) {
      irqFds.removeIf(each -> each.fd() == eventFd && each.gsi() == gsi);
      return;
    }
    int resample = (flags & IRQFD_RESAMPLE) != 0 ? words.getInt(12) : -1;
    irqFds.add(new IrqFdImage(eventFd, gsi, resample, Finding.Source.RECORDED));
  }

  private void setIoEventFd(ByteBuffer words) {
    int flags = words.getInt(24);
    // Without DATAMATCH any value matches, and what stands there means nothing.
    long match = (flags & IOEVENTFD_DATAMATCH) != 0 ? words.getLong(0) : 0;
    IoEventFdImage image =
        new IoEventFdImage(
            words.getInt(20),
            words.getLong(8),
            words.getInt(16),
            flags & ~IOEVENTFD_DEASSIGN,
            match,
            Finding.Source.RECORDED);
    if ((flags & IOEVENTFD_DEASSIGN) != 0) {
      ioEventFds.remove(image);
    } else {
      ioEventFds.add(image);
    }
  }

  /** KVM removes every zone that the named one lies in (virt/kvm/coalesced_mmio.c). */
  private void unregisterZone(ByteBuffer named) {
    calls.removeIf(
        call ->
            call.request() == KvmCall.REGISTER_COALESCED_MMIO.request()
                && contains(words(call.argument()), named));
  }

  private static boolean contains(ByteBuffer zone, ByteBuffer inner) {
    long offset = inner.getLong(0) - zone.getLong(0);
    long room = Integer.toUnsignedLong(zone.getInt(8)) - Integer.toUnsignedLong(inner.getInt(8));
    return zone.getInt(12) == inner.getInt(12) && offset >= 0 && offset <= room;
  }

  private void setHypervEventFd(String on, ByteBuffer words, byte[] argument) {
    int connection = words.getInt(0);
    calls.removeIf(
        call ->
            call.request() == KvmCall.HYPERV_EVENTFD.request()
                && words(call.argument()).getInt(0) == connection);
    if ((words.getInt(8) & HYPERV_DEASSIGN) == 0) {
      add(on, KvmCall.HYPERV_EVENTFD, argument);
    }
  }

  private void setAttribute(String on, ByteBuffer words, byte[] argument) {
    if (isVfio(on)) {
      // Each call adds a file or takes one away.
      int file = argument.length > ATTRIBUTE_BYTES ? words.getInt(ATTRIBUTE_BYTES) : -1;
      removeAttribute(on, words, VFIO_ADD, file);
      if (words.getLong(8) == VFIO_DEL) {
        return;
      }
    } else {
      removeAttribute(on, words, words.getLong(8), -1);
    }
    add(on, KvmCall.SET_DEVICE_ATTR, argument);
  }

  /**
   * Forgets calls for an attribute of the same group; with a value from 0 on, those of that value.
   */
  private void removeAttribute(String on, ByteBuffer words, long attribute, int value) {
    int group = words.getInt(4);
    calls.removeIf(
        call -> {
          if (call.request() != KvmCall.SET_DEVICE_ATTR.request() || !call.on().equals(on)) {
            return false;
          }
          ByteBuffer earlier = words(call.argument());
          return earlier.getInt(4) == group
              && earlier.getLong(8) == attribute
              && (value < 0
                  || (call.argument().length > ATTRIBUTE_BYTES
                      && earlier.getInt(ATTRIBUTE_BYTES) == value));
        });
  }

  private boolean isVfio(String on) {
    for (SettingsImage.Call call : calls) {
      if (call.request() == KvmCall.CREATE_DEVICE.request()
          && on.equals(device(words(call.argument()).getInt(4)))) {
        return words(call.argument()).getInt(0) == DEVICE_TYPE_VFIO;
      }
    }
    return false;
  }

  private void remove(String on, KvmCall call) {
    calls.removeIf(each -> each.request() == call.request() && each.on().equals(on));
  }

  private void addOnce(String on, KvmCall call, byte[] argument) {
    for (SettingsImage.Call each : calls) {
      if (each.request() == call.request()
          && each.on().equals(on)
          && Arrays.equals(each.argument(), argument)) {
        return;
      }
    }
    add(on, call, argument);
  }

  private void add(String on, KvmCall call, byte[] argument) {
    boolean plain = call.kind() == KvmCall.Kind.PLAIN;
    calls.add(
        new SettingsImage.Call(on, call.kernelName(), call.request(), argument.clone(), plain));
  }

  /**
   * What is there now.
   *
   * @param descriptor a descriptor that leads to it now
   * @param lives whether a descriptor of a device is still open
   */
  SetupImage.Machine image(int descriptor, IntPredicate lives) {
    List<SettingsImage.Call> kept = new ArrayList<>();
    for (SettingsImage.Call call : calls) {
      int device = -1;
      if (call.on().startsWith(DEVICE)) {
        device = Integer.parseInt(call.on().substring(DEVICE.length()));
      } else if (call.request() == KvmCall.CREATE_DEVICE.request()) {
        device = words(call.argument()).getInt(4);
      }
      if (device < 0 || lives.test(device)) {
        kept.add(call);
      }
    }
    return new SetupImage.Machine(
        descriptor,
        vmType,
        List.copyOf(vcpus),
        List.copyOf(kept),
        List.copyOf(slots.values()),
        List.copyOf(irqFds),
        List.copyOf(ioEventFds));
  }

  private static ByteBuffer words(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
