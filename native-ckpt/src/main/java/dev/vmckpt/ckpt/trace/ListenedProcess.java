// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.setup.SetupProcess;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A process that is listened to, one of whose threads stands still. */
final class ListenedProcess implements SetupProcess, AutoCloseable {
  private final int pid;
  private @Nullable ProcessMemory memory;

  ListenedProcess(int pid) {
    this.pid = pid;
  }

  @Override
  public int pid() {
    return pid;
  }

  @Override
  public Optional<byte[]> tryRead(RemoteAddress from, int length) {
    try {
      if (memory == null) {
        memory = new ProcessMemory(pid);
      }
      return Optional.of(memory.read(from, length));
    } catch (SyscallException | TargetGoneException e) {
      return Optional.empty();
    }
  }

  @Override
  public Optional<String> tryLink(RemoteFd fd) {
    return Optional.ofNullable(FileCalls.readLink("/proc/" + pid + "/fd/" + fd.number()));
  }

  /** Its memory is another one after an execve(2). */
  @Override
  public void close() {
    if (memory != null) {
      memory.close();
      memory = null;
    }
  }
}
