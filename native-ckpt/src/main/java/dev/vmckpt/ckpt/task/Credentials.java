// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.image.CredentialsImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;

/** Who a process is, and the switches of prctl(2) that belong to all of it. */
public final class Credentials {
  private static final int PR_SET_PDEATHSIG = 1;
  private static final int PR_GET_PDEATHSIG = 2;
  private static final int PR_GET_DUMPABLE = 3;
  private static final int PR_SET_DUMPABLE = 4;
  private static final int PR_SET_KEEPCAPS = 8;
  private static final int PR_CAPBSET_DROP = 24;
  private static final int PR_GET_SECUREBITS = 27;
  private static final int PR_SET_SECUREBITS = 28;
  private static final int PR_SET_CHILD_SUBREAPER = 36;
  private static final int PR_GET_CHILD_SUBREAPER = 37;
  private static final int PR_CAP_AMBIENT = 47;
  private static final int PR_CAP_AMBIENT_RAISE = 2;
  private static final long PERSONALITY_QUERY = 0xffffffffL;
  private static final int CAPABILITY_VERSION_3 = 0x20080522;
  private static final int CAPABILITIES = 64;

  private Credentials() {}

  /**
   * Reads them. Stands in the pause.
   *
   * @param status /proc/PID/status in the pause
   */
  public static CredentialsImage capture(BorrowedThread borrowed, ProcStatus status) {
    RemoteAddress scratch = borrowed.scratch();
    borrowed.write(scratch, new byte[8]);
    borrowed.tryCall(Nr.PRCTL, PR_GET_PDEATHSIG, scratch.value());
    borrowed.tryCall(Nr.PRCTL, PR_GET_CHILD_SUBREAPER, scratch.value() + 4);
    ByteBuffer told = ByteBuffer.wrap(borrowed.read(scratch, 8)).order(ByteOrder.LITTLE_ENDIAN);
    return new CredentialsImage(
        status.userIds(),
        status.groupIds(),
        status.groups(),
        status.capabilities(),
        (int) borrowed.tryCall(Nr.PRCTL, PR_GET_SECUREBITS),
        status.noNewPrivileges(),
        (int) borrowed.tryCall(Nr.PRCTL, PR_GET_DUMPABLE),
        told.getInt(0),
        told.getInt(4) != 0,
        (int) borrowed.tryCall(Nr.PERSONALITY, PERSONALITY_QUERY),
        Integer.parseInt(ProcFs.read(ProcFs.of(borrowed.pid(), "oom_score_adj")).strip()));
  }

  /** Sets what the whole process shares, in its leading thread. */
  public static void restoreProcess(Husk husk, CredentialsImage image) {
    String wanted = Integer.toString(image.oomScoreAdjustment());
    if (!ProcFs.read(ProcFs.of(husk.pid(), "oom_score_adj")).strip().equals(wanted)) {
      try {
        Files.write(
            ProcFs.of(husk.pid(), "oom_score_adj"), wanted.getBytes(StandardCharsets.US_ASCII));
      } catch (IOException e) {
        throw new FailureException("oom_score_adj of the restored process cannot be set", e);
      }
    }
    if (image.childSubreaper()) {
      husk.queue(
          "prctl(PR_SET_CHILD_SUBREAPER)", "the process", Nr.PRCTL, PR_SET_CHILD_SUBREAPER, 1);
    }
    husk.flush();
  }

  /** Sets who a thread is; every thread has credentials of its own. */
  public static void restoreThread(Husk husk, CredentialsImage image, CredentialsImage current) {
    husk.queue("personality", "the process", Nr.PERSONALITY, image.personality());
    if (!sameIdentity(image, current)) {
      ByteBuffer groups =
          ByteBuffer.allocate(4 * Math.max(1, image.groups().size()))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int group : image.groups()) {
        groups.putInt(group);
      }
      for (int capability = 0; capability < CAPABILITIES; capability++) {
        boolean had = (current.capabilities().get(3) >>> capability & 1) != 0;
        if (had && (image.capabilities().get(3) >>> capability & 1) == 0) {
          husk.queue(
              "prctl(PR_CAPBSET_DROP)",
              "capability " + capability,
              Nr.PRCTL,
              PR_CAPBSET_DROP,
              capability);
        }
      }
      husk.queue("prctl(PR_SET_KEEPCAPS)", "the process", Nr.PRCTL, PR_SET_KEEPCAPS, 1);
      husk.queue(
          "setgroups",
          "the process",
          Nr.SETGROUPS,
          image.groups().size(),
          husk.place(groups.array()));
      List<Integer> g = image.groupIds();
      husk.queue("setresgid", "the process", Nr.SETRESGID, g.get(0), g.get(1), g.get(2));
      List<Integer> u = image.userIds();
      husk.queue("setresuid", "the process", Nr.SETRESUID, u.get(0), u.get(1), u.get(2));
      // struct __user_cap_header { u32 version; int pid; }, then two of { u32 effective permitted
      // inheritable }
      ByteBuffer header = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      header.putInt(0, CAPABILITY_VERSION_3);
      ByteBuffer data = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
      for (int half = 0; half < 2; half++) {
        data.putInt((int) (image.capabilities().get(2) >>> (32 * half)));
        data.putInt((int) (image.capabilities().get(1) >>> (32 * half)));
        data.putInt((int) (image.capabilities().get(0) >>> (32 * half)));
      }
      husk.queue(
          "capset", "the process", Nr.CAPSET, husk.place(header.array()), husk.place(data.array()));
      for (int capability = 0; capability < CAPABILITIES; capability++) {
        if ((image.capabilities().get(4) >>> capability & 1) != 0) {
          husk.queue(
              "prctl(PR_CAP_AMBIENT)",
              "capability " + capability,
              Nr.PRCTL,
              PR_CAP_AMBIENT,
              PR_CAP_AMBIENT_RAISE,
              capability,
              0,
              0);
        }
      }
      husk.queueOptional(Nr.PRCTL, PR_SET_SECUREBITS, image.secureBits());
    }
    // After a change of user the kernel has reset these two.
    if (image.parentDeathSignal() != 0) {
      husk.queue(
          "prctl(PR_SET_PDEATHSIG)",
          "the process",
          Nr.PRCTL,
          PR_SET_PDEATHSIG,
          image.parentDeathSignal());
    }
    if (image.dumpable() != 2) {
      husk.queue(
          "prctl(PR_SET_DUMPABLE)", "the process", Nr.PRCTL, PR_SET_DUMPABLE, image.dumpable());
    }
    husk.flush();
  }

  private static boolean sameIdentity(CredentialsImage a, CredentialsImage b) {
    return a.userIds().equals(b.userIds())
        && a.groupIds().equals(b.groupIds())
        && a.groups().equals(b.groups())
        && a.capabilities().equals(b.capabilities())
        && a.secureBits() == b.secureBits();
  }

  /** Who a running process is, as far as its status tells. */
  public static CredentialsImage of(ProcStatus status) {
    return new CredentialsImage(
        status.userIds(),
        status.groupIds(),
        status.groups(),
        status.capabilities(),
        0,
        status.noNewPrivileges(),
        1,
        0,
        false,
        0,
        0);
  }
}
