// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A guest's own use of virtualization (struct kvm_nested_state). Behind the control registers (SVM
 * needs EFER.SVME) and behind {@link FeatureControl}, which permits VMXON; before the general
 * registers, which are the inner guest's while one runs.
 */
public final class NestedState implements StateGroup {
  private static final int FORMAT = 2;
  private static final int FORMAT_SVM = 1;
  private static final int VMXON_ADDRESS = 8;
  private static final int GIF_SET = 0x100;

  @Override
  public String name() {
    return "nested";
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.NESTED_STATE);
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    int room = Math.max(KvmLayout.NESTED_HEADER, capabilities.value(KvmCap.NESTED_STATE));
    byte[] argument = new byte[room];
    Calls.view(argument).putInt(KvmLayout.NESTED_SIZE, room);
    RemoteAddress place = batch.place(argument);
    batch.call(
        "KVM_GET nested",
        fd.toString(),
        Nr.IOCTL,
        fd.number(),
        KvmIoctl.GET_NESTED_STATE,
        place.value());
    return () -> {
      byte[] all = batch.read(place, room);
      return Arrays.copyOf(all, Calls.view(all).getInt(KvmLayout.NESTED_SIZE));
    };
  }

  /**
   * Whether the guest uses virtualization itself: else nothing is lost where it cannot be set.
   *
   * @param saved what was read
   */
  public static boolean inUse(byte[] saved) {
    ByteBuffer state = Calls.view(saved);
    int flags = state.getShort(0) & 0xffff;
    return state.getShort(FORMAT) == FORMAT_SVM
        ? (flags & ~GIF_SET) != 0 || saved.length > KvmLayout.NESTED_HEADER
        : flags != 0 || state.getLong(VMXON_ADDRESS) != -1;
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length < KvmLayout.NESTED_HEADER) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    if (offered(capabilities) || inUse(saved)) {
      RemoteAddress place = batch.place(saved);
      batch.call(
          "KVM_SET nested",
          fd.toString(),
          Nr.IOCTL,
          fd.number(),
          KvmIoctl.SET_NESTED_STATE,
          place.value());
    }
    return Setting.DONE;
  }
}
