// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.ArrayList;
import java.util.List;

/** Reads {@code /proc/PID/timers}: the timers of timer_create(2). */
public final class ProcTimers {
  /**
   * One timer.
   *
   * @param id the kernel's number of it
   * @param signal the signal, 0 for none
   * @param signalValue what the signal carries
   * @param notification SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD 2
   * @param toThread SIGEV_THREAD_ID: whether {@code target} is a thread, else a process
   * @param target who is told, by its number in our pid namespace
   * @param clock CLOCK_*; negative for the clock of a thread or process
   */
  public record Timer(
      int id,
      int signal,
      long signalValue,
      int notification,
      boolean toThread,
      int target,
      int clock) {
    /** The same timer, telling a thread by another number. */
    public Timer telling(int thread) {
      return new Timer(id, signal, signalValue, notification, toThread, thread, clock);
    }

    /** sigev_notify as timer_create(2) was given it: SIGEV_THREAD_ID 4 included. */
    public int sigevNotify() {
      return toThread ? notification | 4 : notification;
    }
  }

  private ProcTimers() {}

  /**
   * The timers, ascending by id.
   *
   * @throws ProcFormatException if a line is missing or another than proc_pid_timers(5) says
   */
  public static List<Timer> parse(String text) {
    Cursor cursor = new Cursor("timers", text);
    List<Timer> timers = new ArrayList<>();
    while (!cursor.atEnd()) {
      Timer timer = timer(cursor);
      // The kernel shows the newest first; few enough to insert one by one.
      int place = timers.size();
      while (place > 0 && timers.get(place - 1).id() > timer.id()) {
        place--;
      }
      timers.add(place, timer);
    }
    return timers;
  }

  private static Timer timer(Cursor cursor) {
    cursor.expect("ID: ", "ID:");
    final int id = cursor.decimal32("id");
    endOfLine(cursor);
    cursor.expect("signal: ", "signal:");
    final int signal = cursor.decimal32("signal");
    cursor.expect('/', "slash");
    final long value = cursor.hex("signal value");
    endOfLine(cursor);
    cursor.expect("notify: ", "notify:");
    final int notification;
    if (cursor.tryWord("signal/")) {
      notification = 0;
    } else if (cursor.tryWord("none/")) {
      notification = 1;
    } else if (cursor.tryWord("thread/")) {
      notification = 2;
    } else {
      throw cursor.failure("kind of notification");
    }
    final boolean toThread = cursor.tryWord("tid.");
    if (!toThread) {
      cursor.expect("pid.", "pid. or tid.");
    }
    final int target = cursor.decimal32("number");
    endOfLine(cursor);
    cursor.expect("ClockID: ", "ClockID:");
    final int clock = cursor.decimal32("clock");
    endOfLine(cursor);
    return new Timer(id, signal, value, notification, toThread, target, clock);
  }

  private static void endOfLine(Cursor cursor) {
    if (!cursor.atLineEnd()) {
      throw cursor.failure("end of line");
    }
    cursor.nextLine();
  }
}
