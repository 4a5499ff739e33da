// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * Calls that an {@link OwnTask} makes in one go: a table in its workspace, and behind it the room
 * for what they refer to.
 *
 * <pre>
 * a row   0 number, bit 32 if it is made only after a 0   8 … 48 six arguments   56 result
 * </pre>
 */
final class CallTable implements CallBatch {
  static final int ROW_BYTES = 64;
  static final int RESULT_OFFSET = 56;

  private static final int ARGUMENTS = 6;
  private static final String[] MAY_FAIL = {};

  private final OwnTask task;
  private final RemoteAddress rows;
  private final int most;
  private final long room;
  private final long end;
  private final NativeBuffer table;
  private final List<String[]> named = new ArrayList<>();
  private int calls;
  private long used;
  private boolean started;

  /**
   * @param rows where the table is
   * @param most how many calls it holds
   * @param end where the room for arguments ends
   */
  CallTable(OwnTask task, RemoteAddress rows, int most, RemoteAddress end) {
    this.task = task;
    this.rows = rows;
    this.most = most;
    this.end = end.value();
    room = rows.value() + bytes(most);
    used = room;
    table = new NativeBuffer(bytes(most));
  }

  /** What a table of so many calls takes, without arguments. */
  static int bytes(int calls) {
    return calls * ROW_BYTES;
  }

  RemoteAddress rows() {
    return rows;
  }

  /** The first row, filled; only while no call is in the table. */
  NativeBuffer row(long number, long... arguments) {
    fill(0, number, arguments);
    return table;
  }

  /** Whether calls should be made before more are added: half of its room is used. */
  boolean isFilling() {
    return calls == most || used > room + (end - room) / 2;
  }

  @Override
  public RemoteAddress place(byte[] argument) {
    if (used + argument.length > end) {
      throw new FailureException("an argument of " + argument.length + " bytes has no room");
    }
    RemoteAddress at = new RemoteAddress(used);
    task.memory().write(at, argument);
    used += (argument.length + 15) & -16;
    return at;
  }

  @Override
  public RemoteAddress reserve(int bytes) {
    return place(new byte[bytes]);
  }

  @Override
  public int call(String name, String subject, int number, long... arguments) {
    return add(new String[] {name, subject}, number, arguments);
  }

  @Override
  public int tryCall(int number, long... arguments) {
    return add(MAY_FAIL, number, arguments);
  }

  @Override
  public int tryCallIfZero(int number, long... arguments) {
    if (calls == 0) {
      throw new IllegalStateException("there is no call before it");
    }
    return add(MAY_FAIL, number | WorkspaceCode.IF_ZERO, arguments);
  }

  private int add(String[] name, long number, long[] arguments) {
    if (calls == most) {
      throw new IllegalStateException("more than " + most + " calls at once");
    }
    fill(calls, number, arguments);
    named.add(name);
    return calls++;
  }

  private void fill(int row, long number, long[] a) {
    int at = row * ROW_BYTES;
    table.bytes().putLong(at, number);
    for (int i = 0; i < ARGUMENTS; i++) {
      table.bytes().putLong(at + 8 + i * 8, i < a.length ? a[i] : 0);
    }
  }

  @Override
  public void start() {
    task.awaitRunning();
    task.beside();
    send();
  }

  private void send() {
    if (calls > 0 && !started) {
      task.memory().write(rows, table.address(), bytes(calls));
      task.start(this, rows, calls);
      started = true;
    }
  }

  @Override
  public void run() {
    try {
      send();
      if (started) {
        task.await(this);
        task.memory().tryRead(rows.value(), table.address(), bytes(calls));
      }
      for (int i = 0; i < calls; i++) {
        String[] name = named.get(i);
        if (name != MAY_FAIL) {
          Sys.check(name[0], name[1], result(i));
        }
      }
    } finally {
      calls = 0;
      used = room;
      started = false;
      named.clear();
    }
  }

  @Override
  public void runThrough() {
    task.awaitRunning();
    task.outliving(this::run);
  }

  @Override
  public long result(int index) {
    return table.bytes().getLong(index * ROW_BYTES + RESULT_OFFSET);
  }

  @Override
  public byte[] read(RemoteAddress from, int length) {
    return task.memory().read(from, length);
  }
}
