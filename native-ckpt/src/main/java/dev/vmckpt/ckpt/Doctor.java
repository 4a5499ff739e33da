// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.snapshot.Hosts;
import dev.vmckpt.ckpt.trace.Probe;
import dev.vmckpt.ckpt.trace.TracerThread;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/** Tries, on a throwaway process, what this kernel and these privileges allow. */
public final class Doctor {
  private static final String[] PROGRAM = {"/bin/sleep", "20"};
  private static final String ROOT = "run as root, or with ";

  private Doctor() {}

  /** Every feature that a snapshot or a restore uses, tried. */
  public static List<Feature> examine() {
    try (TracerThread tracer = new TracerThread()) {
      return tracer.run(
          new Callable<List<Feature>>() {
            @Override
            public List<Feature> call() {
              return tried();
            }
          });
    }
  }

  private static List<Feature> tried() {
    List<Feature> features = new ArrayList<>();
    features.add(
        feature(
            "kernel",
            true,
            true,
            "Linux " + Hosts.kernel() + " on " + System.getProperty("os.arch"),
            null));
    int pid = Spawn.start(PROGRAM);
    try (Probe probe = new Probe(pid)) {
      add(
          features,
          "ptrace",
          probe.seized(),
          true,
          "seize, freeze and borrow threads of your own processes",
          ROOT + "CAP_SYS_PTRACE; see also /proc/sys/kernel/yama/ptrace_scope");
      add(
          features,
          "ptrace of others",
          probe.privileged(),
          false,
          "processes of other users and programs that forbid it",
          ROOT + "CAP_SYS_PTRACE");
      add(
          features,
          "suspend seccomp",
          probe.suspendsSeccomp(),
          false,
          "targets with system call filters, as qemu -sandbox on",
          ROOT + "CAP_SYS_ADMIN");
      add(
          features,
          "read seccomp filters",
          probe.suspendsSeccomp(),
          false,
          "filters are saved and installed again",
          ROOT + "CAP_SYS_ADMIN");
      add(
          features,
          "rseq",
          probe.readsRseq(),
          true,
          "restartable sequences of the C library",
          "use Linux 5.13 or newer");
      add(
          features,
          "PAGEMAP_SCAN",
          probe.scansPagemap(),
          false,
          "finds written pages in milliseconds; else /proc/PID/pagemap is read",
          "use Linux 6.7 or newer");
      add(
          features,
          "map_files",
          probe.readsMapFiles(),
          false,
          "deleted files, shared memory and restored targets can be saved",
          ROOT + "CAP_CHECKPOINT_RESTORE");
      add(
          features,
          "pidfd_getfd",
          probe.duplicatesDescriptors(),
          true,
          "sockets and pipes are looked at through a duplicate",
          "use Linux 5.6 or newer");
      add(
          features,
          "kcmp",
          probe.compares(),
          true,
          "descriptors that share an offset are told apart",
          "use a kernel with CONFIG_KCMP");
      add(
          features,
          "process numbers",
          probe.choosesNumbers(),
          true,
          "a target comes back under its own number (clone3 set_tid)",
          ROOT + "CAP_CHECKPOINT_RESTORE");
      add(
          features,
          "time namespace",
          probe.unshares(Probe.NEWTIME),
          false,
          "CLOCK_MONOTONIC goes on where it was; else it jumps",
          ROOT + "CAP_SYS_ADMIN; a kernel with CONFIG_TIME_NS");
      add(
          features,
          "pid namespace",
          probe.unshares(Probe.NEWPID),
          false,
          "a clone runs while its number is taken",
          ROOT + "CAP_SYS_ADMIN");
      add(
          features,
          "vDSO",
          probe.mapsVdso(),
          true,
          "the kernel's code page is mapped at its old address",
          "use a kernel with CONFIG_CHECKPOINT_RESTORE");
    }
    Path temporary = Path.of(System.getProperty("java.io.tmpdir"));
    add(
        features,
        "reflink in " + temporary,
        reflinks(temporary),
        false,
        "disks are kept in microseconds; else they are copied in the pause",
        "keep disks and store on XFS or Btrfs");
    boolean kvm = Files.isReadable(Path.of("/dev/kvm")) && Files.isWritable(Path.of("/dev/kvm"));
    add(
        features,
        "/dev/kvm",
        kvm,
        false,
        "there; targets that use it are refused by name in this version",
        "load the kvm module, or join the group kvm");
    return features;
  }

  private static boolean reflinks(Path folder) {
    try {
      Path file = Files.createTempFile(folder, "vmckpt-doctor", "");
      try {
        Files.write(file, new byte[1 << 16]);
        return new LinuxFileCloner().canReflink(file, folder);
      } finally {
        Files.delete(file);
      }
    } catch (java.io.IOException e) {
      return false;
    }
  }

  private static void add(
      List<Feature> features,
      String name,
      boolean there,
      boolean needed,
      String detail,
      String remedy) {
    features.add(feature(name, there, needed, detail, there ? null : remedy));
  }

  private static Feature feature(
      String name, boolean there, boolean needed, String detail, @Nullable String remedy) {
    return new Feature(name, there, needed, detail, remedy);
  }
}
