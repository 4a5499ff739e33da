// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import com.sun.jna.Function;
import com.sun.jna.Pointer;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.kit.SelfTask;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** This very process, sweeping as fast as a lodger does: by a loop of machine code. */
final class QuickTask implements RemoteTask {
  /**
   * push rbx; push r12; mov rbx, rdi; xor r12d, r12d; the sweep of a lodger; mov rax, r12; pop r12;
   * pop rbx; ret.
   */
  private static final byte[] CODE =
      HexFormat.of()
          .parseHex(
              "534154"
                  + "4889fb"
                  + "4531e4"
                  + "488b03488b7b08488b7310488b53180f05483b43387514"
                  + "488b4320488b4b2848010849ffc44c3b633072d5"
                  + "4c89e0"
                  + "415c5bc3");

  private final SelfTask self = new SelfTask();
  private final NativeBuffer sweep = new NativeBuffer(64);
  private final Function loop;

  QuickTask() {
    // PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS
    long code = self.call("mmap", "code", Nr.MMAP, 0, 4096, 7, 0x22, -1, 0);
    self.write(new RemoteAddress(code), CODE);
    loop = Function.getFunction(new Pointer(code));
  }

  @Override
  public long sweep(
      int number, long a, long b, long c, RemoteAddress field, long step, long count, long usual) {
    sweep.bytes().putLong(0, number).putLong(8, a).putLong(16, b).putLong(24, c);
    sweep.bytes().putLong(32, field.value()).putLong(40, step);
    sweep.bytes().putLong(48, count).putLong(56, usual);
    return loop.invokeLong(new Object[] {new Pointer(sweep.address())});
  }

  @Override
  public int pid() {
    return self.pid();
  }

  @Override
  public long tryCall(int number, long... arguments) {
    return self.tryCall(number, arguments);
  }

  @Override
  public long call(String name, String subject, int number, long... arguments) {
    return self.call(name, subject, number, arguments);
  }

  @Override
  public RemoteAddress scratch() {
    return self.scratch();
  }

  @Override
  public void write(RemoteAddress to, byte[] bytes) {
    self.write(to, bytes);
  }

  @Override
  public byte[] read(RemoteAddress from, int length) {
    return self.read(from, length);
  }

  @Override
  public CallBatch batch() {
    return self.batch();
  }

  @Override
  public @Nullable CallBatch tryPrepare(int calls, int bytes) {
    return self.tryPrepare(calls, bytes);
  }
}
