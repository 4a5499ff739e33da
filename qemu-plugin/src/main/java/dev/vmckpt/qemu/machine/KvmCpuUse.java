// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What a guest has switched on, asked of KVM and not of QEMU: when QEMU is asked, it gives the
 * registers back to KVM before the guest goes on, and those that it does not know of are lost.
 */
final class KvmCpuUse {
  private static final String VCPU = "anon_inode:kvm-vcpu:0";

  /** _IOR(0xae, 0x83, struct kvm_sregs), linux/kvm.h; CR4 is behind eight segments, two tables. */
  private static final long GET_SREGS = 0x8138_ae83L;

  private static final int SREGS_BYTES = 0x138;
  private static final int CR4 = 248;

  /**
   * _IOR(0xae, 0xa6, struct kvm_xcrs): {@code u32 count, flags}, then {@code u32 number, reserved,
   * u64 value} for each. XCR0 is the only one there is.
   */
  private static final long GET_XCRS = 0x8188_aea6L;

  private static final int XCRS_BYTES = 0x188;
  private static final int XCR0 = 16;

  private KvmCpuUse() {}

  /**
   * Of the first processor.
   *
   * @param lodger makes a task in QEMU; is not called if its guest is not under KVM
   * @return null if QEMU has no processor of KVM's
   * @throws FailureException if its descriptors cannot be read
   * @throws dev.vmckpt.spi.error.SyscallException if KVM refuses
   */
  static @Nullable CpuUse of(int pid, Supplier<RemoteTask> lodger) {
    int fd = vcpu(pid);
    if (fd < 0) {
      return null;
    }
    RemoteTask task = lodger.get();
    RemoteAddress place = task.scratch();
    task.call("ioctl(KVM_GET_SREGS)", "vcpu 0", Nr.IOCTL, fd, GET_SREGS, place.value());
    long cr4 = longAt(task.read(place, SREGS_BYTES), CR4);
    // A processor without XSAVE has no XCR0 to tell of.
    long done = task.tryCall(Nr.IOCTL, fd, GET_XCRS, place.value());
    return new CpuUse(cr4, done == 0 ? longAt(task.read(place, XCRS_BYTES), XCR0) : 0);
  }

  private static long longAt(byte[] bytes, int offset) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(offset);
  }

  private static int vcpu(int pid) {
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        if (Files.readSymbolicLink(each).toString().equals(VCPU)) {
          return Integer.parseInt(each.getFileName().toString());
        }
      }
      return -1;
    } catch (IOException e) {
      throw new FailureException("the descriptors of QEMU " + pid + " cannot be read: " + e, e);
    }
  }
}
