// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.ThreadCall;
import dev.vmckpt.spi.setup.SetupProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** One process that is listened to: which of its descriptors is what of which virtual machine. */
final class ProcessSetup {
  private static final String KVM_FILE = "anon_inode:kvm-";
  private static final String VM_FILE = "anon_inode:kvm-vm";
  private static final int F_DUPFD = 0;
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int CREATE_DEVICE_TEST = 1;

  /** What a descriptor stands for. */
  private record Target(MachineSetup machine, String on, OptionalInt vcpu) {}

  private final SetupProcess process;
  private final Map<Integer, Target> targets = new HashMap<>();
  private final List<MachineSetup> machines = new ArrayList<>();
  private boolean strangers;

  ProcessSetup(SetupProcess process) {
    this.process = process;
  }

  int pid() {
    return process.pid();
  }

  /** What a call that is about to be made means. */
  enum Interest {
    /** Nothing. */
    NONE,
    /** Its result counts. */
    RESULT,
    /** A vcpu runs for the first time; its result, which may be long in coming, does not count. */
    FIRST_RUN
  }

  Interest entering(ThreadCall call) {
    int fd = (int) argument(call, 0);
    if (call.number() != Nr.IOCTL) {
      return duplicates(call, fd) ? Interest.RESULT : Interest.NONE;
    }
    KvmCall known = KvmCall.of(argument(call, 1));
    if (known == null) {
      return Interest.NONE;
    }
    if (known != KvmCall.RUN) {
      return Interest.RESULT;
    }
    Target target = targets.get(fd);
    if (target == null || target.vcpu.isEmpty()) {
      strangers = true;
      return Interest.NONE;
    }
    boolean first = target.machine.vcpuEntered(target.vcpu.getAsInt());
    return first ? Interest.FIRST_RUN : Interest.NONE;
  }

  private boolean duplicates(ThreadCall call, int fd) {
    if (targets.isEmpty()) {
      return false;
    }
    return switch (call.number()) {
      case Nr.DUP -> targets.containsKey(fd);
      case Nr.DUP2, Nr.DUP3 ->
          targets.containsKey(fd) || targets.containsKey((int) argument(call, 1));
      case Nr.FCNTL -> {
        int command = (int) argument(call, 1);
        yield (command == F_DUPFD || command == F_DUPFD_CLOEXEC) && targets.containsKey(fd);
      }
      default -> false;
    };
  }

  /** A call returned well; whether it has changed what will be kept. */
  boolean left(ThreadCall call) {
    int fd = (int) argument(call, 0);
    Target target = targets.get(fd);
    if (call.number() != Nr.IOCTL) {
      put((int) call.result(), target);
      return false;
    }
    KvmCall known = KvmCall.of(argument(call, 1));
    if (known == null) {
      return false;
    }
    long value = argument(call, 2);
    if (known == KvmCall.CREATE_VM) {
      return vmMade((int) call.result(), value);
    }
    if (target == null) {
      // Made before we listened, or handed over by another process: not all of it was heard.
      strangers = true;
      return false;
    }
    return switch (known) {
      case CREATE_VCPU -> vcpuMade(target, (int) call.result(), (int) value);
      case CREATE_DEVICE -> deviceMade(target, value);
      default -> {
        Optional<byte[]> argument = Arguments.read(known, value, process);
        strangers |= argument.isEmpty();
        argument.ifPresent(bytes -> target.machine.set(target.on, known, bytes));
        yield true;
      }
    };
  }

  private boolean vmMade(int fd, long type) {
    MachineSetup machine = new MachineSetup(fd, type);
    machines.removeIf(each -> each.fd() == fd);
    machines.add(machine);
    put(fd, new Target(machine, MachineSetup.VM, OptionalInt.empty()));
    return true;
  }

  private boolean vcpuMade(Target vm, int fd, int id) {
    vm.machine.vcpuMade(id);
    put(fd, new Target(vm.machine, MachineSetup.vcpu(id), OptionalInt.of(id)));
    return true;
  }

  private boolean deviceMade(Target vm, long structure) {
    Optional<byte[]> bytes =
        process.tryRead(new RemoteAddress(structure), KvmCall.CREATE_DEVICE.size());
    if (bytes.isEmpty()) {
      strangers = true;
      return false;
    }
    // struct kvm_create_device { u32 type; u32 fd; u32 flags; }
    byte[] words = bytes.get();
    if ((words[8] & CREATE_DEVICE_TEST) != 0) {
      return false;
    }
    int fd = ByteBuffer.wrap(words).order(ByteOrder.LITTLE_ENDIAN).getInt(4);
    vm.machine.deviceMade(fd, words);
    put(fd, new Target(vm.machine, MachineSetup.device(fd), OptionalInt.empty()));
    return true;
  }

  /** A descriptor has a new meaning, or none of ours any more. */
  private void put(int fd, @Nullable Target target) {
    if (target == null) {
      targets.remove(fd);
    } else {
      targets.put(fd, target);
    }
  }

  /** The machines that are still there. */
  List<MachineSetup> machines() {
    List<MachineSetup> there = new ArrayList<>();
    for (MachineSetup machine : machines) {
      if (descriptorOf(machine).isPresent()) {
        there.add(machine);
      }
    }
    return there;
  }

  /** A descriptor that leads to a machine: the first one, or a duplicate if that was closed. */
  private OptionalInt descriptorOf(MachineSetup machine) {
    if (isOpen(machine.fd(), VM_FILE)) {
      return OptionalInt.of(machine.fd());
    }
    for (Map.Entry<Integer, Target> entry : targets.entrySet()) {
      Target target = entry.getValue();
      boolean its = target.machine.equals(machine) && target.on.equals(MachineSetup.VM);
      if (its && isOpen(entry.getKey(), VM_FILE)) {
        return OptionalInt.of(entry.getKey());
      }
    }
    return OptionalInt.empty();
  }

  private boolean isOpen(int fd, String file) {
    return process.tryLink(new RemoteFd(fd)).orElse("").startsWith(file);
  }

  /** What is to be kept; empty if it has no machine. */
  Optional<SetupImage> image(boolean settled) {
    IntPredicate lives = fd -> isOpen(fd, KVM_FILE);
    List<SetupImage.Machine> images = new ArrayList<>();
    for (MachineSetup machine : machines) {
      OptionalInt fd = descriptorOf(machine);
      if (fd.isPresent()) {
        images.add(machine.image(fd.getAsInt(), lives));
      }
    }
    return images.isEmpty()
        ? Optional.empty()
        : Optional.of(new SetupImage(settled && !strangers, images));
  }

  private static long argument(ThreadCall call, int index) {
    return call.arguments().get(index);
  }
}
