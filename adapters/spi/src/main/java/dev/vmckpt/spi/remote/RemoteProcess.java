// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/**
 * A stopped process in which system calls can be made: a frozen target, or the husk it is rebuilt
 * in.
 *
 * <p>Calls run in a thread of that process, one after another, with all signals blocked. They must
 * not block: nobody but the caller can wake them.
 */
public interface RemoteProcess {
  /** Its process id in our pid namespace. */
  int pid();

  /**
   * Makes one system call over there.
   *
   * @param number the x86-64 system call number, see {@link Nr}
   * @param arguments at most six
   * @return what the kernel returned: a result, or minus the errno (-4095 to -1)
   */
  long tryCall(int number, long... arguments);

  /**
   * Makes one system call over there that must succeed.
   *
   * @param name the name of the call, for the message
   * @param subject what it is about, for the message
   * @return the result, never in -4095 to -1
   * @throws dev.vmckpt.spi.error.SyscallException if the kernel refuses
   */
  long call(String name, String subject, int number, long... arguments);

  /**
   * A place over there to put arguments in and find results, {@link #SCRATCH_BYTES} long, ours
   * until the next use.
   */
  RemoteAddress scratch();

  /** Copies bytes into that process; the place must be mapped and writable. */
  void write(RemoteAddress to, byte[] bytes);

  /** Copies {@code length} bytes out of that process; the place must be mapped. */
  byte[] read(RemoteAddress from, int length);

  /** The size of the place at {@link #scratch()}, in bytes. */
  int SCRATCH_BYTES = 4096;
}
