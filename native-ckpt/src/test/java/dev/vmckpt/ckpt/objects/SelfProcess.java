// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.util.Arrays;

/** Our own process, in the place of a husk: objects are captured from it and restored into it. */
final class SelfProcess implements RemoteProcess {
  private final NativeBuffer scratch = new NativeBuffer(SCRATCH_BYTES);

  @Override
  public int pid() {
    return (int) ProcessHandle.current().pid();
  }

  @Override
  public long tryCall(int number, long... arguments) {
    long[] six = Arrays.copyOf(arguments, 6);
    return Sys.tryCall(number, six[0], six[1], six[2], six[3], six[4], six[5]);
  }

  @Override
  public long call(String name, String subject, int number, long... arguments) {
    return Sys.check(name, subject, tryCall(number, arguments));
  }

  @Override
  public RemoteAddress scratch() {
    return new RemoteAddress(scratch.address());
  }

  @Override
  public void write(RemoteAddress to, byte[] bytes) {
    scratch.bytes().put((int) (to.value() - scratch.address()), bytes);
  }

  @Override
  public byte[] read(RemoteAddress from, int length) {
    return scratch.copy((int) (from.value() - scratch.address()), length);
  }
}
