// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.setup.SetupProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * Reads what an ioctl was given out of the process that made it. Sizes are bounded by what KVM
 * itself accepts, whatever the process wrote.
 */
final class Arguments {
  /** KVM_MAX_IRQ_ROUTES of arch/x86/include/asm/kvm_host.h. */
  private static final int MAX_ROUTES = 4096;

  private static final int ROUTING_BYTES = 8;
  private static final int ROUTE_BYTES = 48;

  /** The kernel's own signal set. */
  private static final int MAX_SIGNAL_SET = 128;

  private static final int SIGNAL_MASK_BYTES = 4;

  /** KVM_PMU_EVENT_FILTER_MAX_EVENTS of arch/x86/kvm/pmu.c. */
  private static final int MAX_EVENTS = 300;

  private static final int EVENT_FILTER_BYTES = 32;

  private Arguments() {}

  /**
   * The argument of a call as {@link dev.vmckpt.kvm.image.SettingsImage.Call} keeps it; empty if it
   * cannot be read, or is none that KVM can have accepted.
   *
   * @param value the call's third argument
   */
  static Optional<byte[]> read(KvmCall call, long value, SetupProcess process) {
    RemoteAddress at = new RemoteAddress(value);
    return switch (call.kind()) {
      case PLAIN, MAKE, RUN -> Optional.of(eightBytes(value));
      case STRUCTURE -> process.tryRead(at, call.size());
      case COUNTED -> counted(call, at, process);
      case POINTING -> {
        Optional<byte[]> structure = process.tryRead(at, call.size());
        yield structure.isEmpty() ? structure : Pointers.gather(call, structure.get(), process);
      }
    };
  }

  private static Optional<byte[]> counted(KvmCall call, RemoteAddress at, SetupProcess process) {
    if (at.value() == 0) {
      // KVM_SET_SIGNAL_MASK: no mask any more.
      return Optional.of(new byte[0]);
    }
    Optional<byte[]> head = process.tryRead(at, 8);
    if (head.isEmpty()) {
      return head;
    }
    ByteBuffer words = ByteBuffer.wrap(head.get()).order(ByteOrder.LITTLE_ENDIAN);
    int first = words.getInt(0);
    int second = words.getInt(4);
    return switch (call) {
      case SET_GSI_ROUTING -> sized(at, ROUTING_BYTES, first, ROUTE_BYTES, MAX_ROUTES, process);
      case SET_SIGNAL_MASK -> sized(at, SIGNAL_MASK_BYTES, first, 1, MAX_SIGNAL_SET, process);
      default -> sized(at, EVENT_FILTER_BYTES, second, Long.BYTES, MAX_EVENTS, process);
    };
  }

  private static Optional<byte[]> sized(
      RemoteAddress at, int head, int count, int each, int most, SetupProcess process) {
    return count < 0 || count > most ? Optional.empty() : process.tryRead(at, head + count * each);
  }

  /** A number as it is kept. */
  static byte[] eightBytes(long value) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
  }
}
