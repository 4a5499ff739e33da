// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.ThreadCall;
import dev.vmckpt.spi.remote.Tid;
import dev.vmckpt.spi.setup.SetupListener;
import dev.vmckpt.spi.setup.SetupProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A process made of a page of memory and a table of descriptors, which makes calls as told. */
final class FakeProcess implements SetupProcess {
  static final int BASE = 0x10000;

  final ByteBuffer memory = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
  final Map<Integer, String> files = new HashMap<>();
  private final int pid;
  private final SetupListener listener;

  FakeProcess(int pid, SetupListener listener) {
    this.pid = pid;
    this.listener = listener;
  }

  @Override
  public int pid() {
    return pid;
  }

  @Override
  public Optional<byte[]> tryRead(RemoteAddress from, int length) {
    long at = from.value() - BASE;
    if (at < 0 || at + length > memory.capacity()) {
      return Optional.empty();
    }
    byte[] bytes = new byte[length];
    memory.get((int) at, bytes);
    return Optional.of(bytes);
  }

  @Override
  public Optional<String> tryLink(RemoteFd fd) {
    return Optional.ofNullable(files.get(fd.number()));
  }

  /** Makes a call with a number. */
  boolean ioctl(int fd, KvmCall call, long argument, long result) {
    return call(Nr.IOCTL, result, fd, call.request(), argument);
  }

  /** Makes a call with a structure of 32-bit words. */
  boolean ioctl(int fd, KvmCall call, long result, int[] words) {
    for (int i = 0; i < words.length; i++) {
      memory.putInt(4 * i, words[i]);
    }
    return call(Nr.IOCTL, result, fd, call.request(), BASE);
  }

  /** Makes a system call; whether the listener wanted to know its result. */
  boolean call(int number, long result, long a, long b, long c) {
    ThreadCall entered = new ThreadCall(new Tid(pid), number, List.of(a, b, c, 0L, 0L, 0L), -38);
    boolean wanted = listener.entering(this, entered);
    if (wanted) {
      listener.left(this, new ThreadCall(new Tid(pid), number, entered.arguments(), result));
    }
    return wanted;
  }

  /** Makes a machine. */
  void machine(int fd, long type) {
    files.put(fd, "anon_inode:kvm-vm");
    ioctl(3, KvmCall.CREATE_VM, type, fd);
  }

  /** Makes a vcpu. */
  void vcpu(int vm, int id, int fd) {
    files.put(fd, "anon_inode:kvm-vcpu:" + id);
    ioctl(vm, KvmCall.CREATE_VCPU, id, fd);
  }
}
