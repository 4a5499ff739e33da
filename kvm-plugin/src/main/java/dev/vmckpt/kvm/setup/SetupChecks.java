// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Whether what a file says is something that a recorder can have heard: calls out of it are made
 * again in a process, so that only the known ones, in their known lengths, are let through.
 */
final class SetupChecks {
  private static final Pattern ON = Pattern.compile("vm|vcpu:\\d{1,9}|device:\\d{1,9}");

  private SetupChecks() {}

  /**
   * Looks a machine through.
   *
   * @throws IllegalArgumentException naming the first thing that is wrong
   */
  static void check(SetupImage.Machine machine) {
    require(machine.fd() >= 0, "a descriptor below 0");
    Set<Integer> ids = new HashSet<>();
    for (int id : machine.vcpus()) {
      require(id >= 0 && ids.add(id), "vcpu " + id);
    }
    for (SettingsImage.Call call : machine.calls()) {
      check(call);
    }
    for (SlotImage slot : machine.slots()) {
      require(
          slot.bytes() > 0 && slot.id() >= 0 && slot.id() <= 0xffff, "memory slot " + slot.id());
      require(slot.addressSpace() >= 0 && slot.addressSpace() <= 0xffff, "slot " + slot.id());
    }
  }

  private static void check(SettingsImage.Call call) {
    KvmCall known = KvmCall.of(call.request());
    if (known == null
        || known.request() != call.request()
        || !known.kernelName().equals(call.name())
        || !ON.matcher(call.on()).matches()) {
      throw new IllegalArgumentException(
          "the call " + call.name() + " on " + call.on() + " is none that can have been recorded");
    }
    boolean plain = known.kind() == KvmCall.Kind.PLAIN;
    int least = plain ? Long.BYTES : known.size();
    boolean exact =
        plain || known.kind() == KvmCall.Kind.STRUCTURE || known == KvmCall.CREATE_DEVICE;
    int length = call.argument().length;
    require(
        call.plain() == plain && (exact ? length == least : length >= least),
        "the argument of " + call.name());
    Pointers.at(call, RemoteAddress.NULL);
  }

  private static void require(boolean right, String what) {
    if (!right) {
      throw new IllegalArgumentException(what + " is none that can have been recorded");
    }
  }
}
