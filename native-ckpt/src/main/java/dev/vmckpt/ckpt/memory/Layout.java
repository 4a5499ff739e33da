// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.image.LayoutImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;

/** The bounds that the kernel keeps for an address space. */
public final class Layout {
  private static final int PR_SET_MM = 35;
  private static final int PR_SET_MM_MAP = 14;
  private static final int MAP_BYTES = 104;
  private static final int O_CLOEXEC = 02000000;

  private Layout() {}

  /**
   * Reads them. Stands in the pause.
   *
   * @param stat /proc/PID/stat
   */
  public static LayoutImage capture(BorrowedThread borrowed, ProcStat stat) {
    int pid = borrowed.pid();
    long brk = borrowed.tryCall(Nr.BRK, 0);
    try {
      return new LayoutImage(
          new RemoteAddress(stat.startCode()),
          new RemoteAddress(stat.endCode()),
          new RemoteAddress(stat.startData()),
          new RemoteAddress(stat.endData()),
          new RemoteAddress(stat.startBrk()),
          new RemoteAddress(brk),
          new RemoteAddress(stat.startStack()),
          new RemoteAddress(stat.argStart()),
          new RemoteAddress(stat.argEnd()),
          new RemoteAddress(stat.envStart()),
          new RemoteAddress(stat.envEnd()),
          Files.readAllBytes(ProcFs.of(pid, "auxv")),
          FileIdentities.of(Files.readSymbolicLink(ProcFs.of(pid, "exe"))));
    } catch (IOException e) {
      throw new FailureException(
          "the program of process " + pid + " cannot be looked at: was it deleted or replaced?", e);
    }
  }

  /** Sets them in a husk with an empty address space; later the kernel says EBUSY. */
  public static void restore(Husk husk, LayoutImage image) {
    String program = image.executable().path();
    long fd = husk.open(program, O_CLOEXEC);
    // struct prctl_mm_map of include/uapi/linux/prctl.h
    ByteBuffer map = ByteBuffer.allocate(MAP_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    RemoteAddress[] bounds = {
      image.startCode(),
      image.endCode(),
      image.startData(),
      image.endData(),
      image.startBrk(),
      image.brk(),
      image.startStack(),
      image.argStart(),
      image.argEnd(),
      image.envStart(),
      image.envEnd()
    };
    for (RemoteAddress bound : bounds) {
      map.putLong(bound.value());
    }
    map.putLong(husk.place(image.auxv())).putInt(image.auxv().length).putInt((int) fd);
    husk.queue(
        "prctl(PR_SET_MM_MAP)",
        program,
        Nr.PRCTL,
        PR_SET_MM,
        PR_SET_MM_MAP,
        husk.place(map.array()),
        MAP_BYTES,
        0);
    husk.queue("close", program, Nr.CLOSE, fd);
    husk.flush();
  }
}
