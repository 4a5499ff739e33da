// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kit;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** This very process as a target and as a husk: every call is a real one. */
public final class SelfTask implements RemoteTask {
  private static final long ECANCELED = 125;
  private static final int ARENA_BYTES = 2 * CallBatch.ROOM_BYTES;

  private final NativeBuffer scratch = new NativeBuffer(SCRATCH_BYTES);
  private final NativeBuffer arena = new NativeBuffer(ARENA_BYTES);
  private final ProcessMemory memory = new ProcessMemory(pid());

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
    memory.write(to, bytes);
  }

  @Override
  public byte[] read(RemoteAddress from, int length) {
    return memory.read(from, length);
  }

  @Override
  public CallBatch batch() {
    return new Batch(arena, ARENA_BYTES);
  }

  @Override
  public @Nullable CallBatch tryPrepare(int calls, int bytes) {
    return new Batch(new NativeBuffer(bytes), bytes);
  }

  @Override
  public long sweep(
      int number, long a, long b, long c, RemoteAddress field, long step, long count, long usual) {
    NativeBuffer at = new NativeBuffer(Long.BYTES);
    for (long i = 0; i < count; i++) {
      if (tryCall(number, a, b, c) != usual) {
        return i;
      }
      memory.tryRead(field.value(), at.address(), Long.BYTES);
      at.bytes().putLong(0, at.bytes().getLong(0) + step);
      memory.write(field, at.copy(0, Long.BYTES));
    }
    return count;
  }

  private record Call(
      @Nullable String name, String subject, int number, long[] arguments, boolean ifZero) {}

  private final class Batch implements CallBatch {
    private final List<Call> calls = new ArrayList<>();
    private final List<Long> results = new ArrayList<>();
    private final NativeBuffer room;
    private final int bytes;
    private int used;
    private boolean made;

    Batch(NativeBuffer room, int bytes) {
      this.room = room;
      this.bytes = bytes;
    }

    @Override
    public RemoteAddress place(byte[] argument) {
      if (used + argument.length > bytes) {
        throw new IllegalStateException("no room for " + argument.length + " bytes");
      }
      room.bytes().put(used, argument);
      RemoteAddress at = new RemoteAddress(room.address() + used);
      used += (argument.length + 15) & -16;
      return at;
    }

    @Override
    public RemoteAddress reserve(int bytes) {
      return place(new byte[bytes]);
    }

    @Override
    public int call(String name, String subject, int number, long... arguments) {
      calls.add(new Call(name, subject, number, arguments, false));
      return calls.size() - 1;
    }

    @Override
    public int tryCall(int number, long... arguments) {
      calls.add(new Call(null, "", number, arguments, false));
      return calls.size() - 1;
    }

    @Override
    public int tryCallIfZero(int number, long... arguments) {
      calls.add(new Call(null, "", number, arguments, true));
      return calls.size() - 1;
    }

    @Override
    public void runThrough() {
      run();
    }

    @Override
    public void start() {
      made = true;
      for (Call call : calls) {
        boolean leftOut = call.ifZero() && results.get(results.size() - 1) != 0;
        results.add(leftOut ? -ECANCELED : SelfTask.this.tryCall(call.number(), call.arguments()));
      }
    }

    @Override
    public void run() {
      if (!made) {
        start();
      }
      for (int i = 0; i < calls.size(); i++) {
        String name = calls.get(i).name();
        if (name != null) {
          Sys.check(name, calls.get(i).subject(), results.get(i));
        }
      }
    }

    @Override
    public long result(int index) {
      return results.get(index);
    }

    @Override
    public byte[] read(RemoteAddress from, int length) {
      return memory.read(from, length);
    }
  }
}
