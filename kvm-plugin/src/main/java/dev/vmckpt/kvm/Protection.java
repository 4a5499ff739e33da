// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.List;

/** Machines whose state nobody but they themselves may read. */
final class Protection {
  /** KVM_SEV_GUEST_STATUS of enum sev_cmd_id. */
  private static final int GUEST_STATUS = 16;

  /** struct kvm_sev_cmd: id 0, data 8, error 16, sev_fd 20. */
  private static final int SEV_COMMAND_BYTES = 24;

  private static final int SEV_COMMAND_DATA = 8;

  private Protection() {}

  /**
   * Looks whether a vm can be read at all; it may run.
   *
   * @throws RefusedException if it belongs to another process, or is encrypted
   */
  static void check(RemoteTask task, RemoteFd vm, int pid) {
    long known =
        task.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.CHECK_EXTENSION, KvmCap.IMMEDIATE_EXIT);
    if (known == -Errno.EIO) {
      throw refused(
          pid,
          vm,
          "another process made it (or it is dead), and KVM obeys only the one that made it",
          "take the snapshot of that process");
    }
    Calls.check("KVM_CHECK_EXTENSION", vm, known);
    CallBatch batch = task.batch();
    RemoteAddress status = batch.reserve(16);
    RemoteAddress command =
        batch.place(
            Calls.struct(SEV_COMMAND_BYTES)
                .putInt(0, GUEST_STATUS)
                .putLong(SEV_COMMAND_DATA, status.value())
                .array());
    int answer = batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.MEMORY_ENCRYPT_OP, command.value());
    batch.run();
    if (batch.result(answer) == 0) {
      throw refused(
          pid, vm, "its guest is encrypted (SEV)", "run the guest without memory encryption");
    }
  }

  private static RefusedException refused(int pid, RemoteFd vm, String why, String remedy) {
    return new RefusedException(
        "snapshot of " + pid, List.of(new Refusal(vm + " anon_inode:kvm-vm", why, remedy)));
  }
}
