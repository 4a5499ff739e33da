// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.proc.ProcTimers;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.image.TimersImage;
import dev.vmckpt.spi.image.TimersImage.Interval;
import dev.vmckpt.spi.image.TimersImage.Posix;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** Interval timers (setitimer(2)) and POSIX timers (timer_create(2)). */
public final class Timers {
  private static final int INTERVAL_TIMERS = 3;
  private static final long MICROS = 1_000_000;
  private static final long NANOS = 1_000_000_000;
  private static final int PR_TIMER_CREATE_RESTORE_IDS = 77;
  private static final int MAX_ATTEMPTS = 100_000;
  private static final int SIGEV_BYTES = 64;

  private Timers() {}

  /** Reads them. Stands in the pause. */
  public static TimersImage capture(BorrowedThread borrowed, List<ProcTimers.Timer> posix) {
    RemoteAddress scratch = borrowed.scratch();
    List<Interval> intervals = new ArrayList<>();
    for (int which = 0; which < INTERVAL_TIMERS; which++) {
      borrowed.call("getitimer", "an interval timer", Nr.GETITIMER, which, scratch.value());
      ByteBuffer timer = read(borrowed, scratch);
      intervals.add(
          new Interval(
              timer.getLong(16) * MICROS + timer.getLong(24),
              timer.getLong(0) * MICROS + timer.getLong(8)));
    }
    List<Posix> timers = new ArrayList<>();
    for (int i = 0; i < posix.size(); i++) {
      ProcTimers.Timer found = posix.get(i);
      borrowed.call("timer_gettime", "a timer", Nr.TIMER_GETTIME, found.id(), scratch.value());
      ByteBuffer timer = read(borrowed, scratch);
      long overrun = borrowed.tryCall(Nr.TIMER_GETOVERRUN, found.id());
      timers.add(
          new Posix(
              found.id(),
              found.clock(),
              found.sigevNotify(),
              found.signal(),
              new RemoteAddress(found.signalValue()),
              found.toThread() ? found.target() : 0,
              timer.getLong(16) * NANOS + timer.getLong(24),
              timer.getLong(0) * NANOS + timer.getLong(8),
              (int) Math.max(0, overrun)));
    }
    return new TimersImage(intervals, timers);
  }

  private static ByteBuffer read(BorrowedThread borrowed, RemoteAddress scratch) {
    return ByteBuffer.wrap(borrowed.read(scratch, 32)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Creates the POSIX timers, under their old numbers, and starts all timers. */
  public static void restore(Husk husk, TimersImage image) {
    boolean wanted = !image.posix().isEmpty();
    boolean byNumber =
        wanted && husk.tryCall(Nr.PRCTL, PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0) >= 0;
    for (Posix timer : image.posix()) {
      create(husk, timer, byNumber);
      long value = timer.valueNanos() == 0 ? timer.intervalNanos() : timer.valueNanos();
      ByteBuffer time = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
      time.putLong(0, timer.intervalNanos() / NANOS).putLong(8, timer.intervalNanos() % NANOS);
      time.putLong(16, value / NANOS).putLong(24, value % NANOS);
      husk.queue(
          "timer_settime",
          "timer " + timer.id(),
          Nr.TIMER_SETTIME,
          timer.id(),
          0,
          husk.place(time.array()),
          0);
    }
    husk.flush();
    if (byNumber) {
      husk.tryCall(Nr.PRCTL, PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
    }
    for (int which = 0; which < image.intervals().size(); which++) {
      Interval timer = image.intervals().get(which);
      // A timer that was just going off reads 0, which would turn it off.
      long value = timer.valueMicros() == 0 ? timer.intervalMicros() : timer.valueMicros();
      ByteBuffer time = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
      time.putLong(0, timer.intervalMicros() / MICROS).putLong(8, timer.intervalMicros() % MICROS);
      time.putLong(16, value / MICROS).putLong(24, value % MICROS);
      husk.queue(
          "setitimer", "interval timer " + which, Nr.SETITIMER, which, husk.place(time.array()), 0);
    }
    husk.flush();
  }

  private static void create(Husk husk, Posix timer, boolean byNumber) {
    // struct sigevent { sigval; int signo; int notify; int tid; … }
    ByteBuffer event = ByteBuffer.allocate(SIGEV_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    event.putLong(0, timer.signalValue().value()).putInt(8, timer.signal());
    event.putInt(12, timer.notification()).putInt(16, timer.notifyTid());
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      husk.write(husk.scratch(), Husk.int32(timer.id()));
      husk.write(husk.scratch().plus(16), event.array());
      long result =
          husk.tryCall(
              Nr.TIMER_CREATE, timer.clock(), husk.scratch().value() + 16, husk.scratch().value());
      Sys.check("timer_create", "timer " + timer.id(), result);
      int made =
          ByteBuffer.wrap(husk.read(husk.scratch(), 4)).order(ByteOrder.LITTLE_ENDIAN).getInt();
      if (made == timer.id()) {
        return;
      }
      husk.call("timer_delete", "timer " + made, Nr.TIMER_DELETE, made);
      if (byNumber || made > timer.id()) {
        break;
      }
    }
    throw new FailureException("the kernel does not give timer " + timer.id() + " its number back");
  }
}
