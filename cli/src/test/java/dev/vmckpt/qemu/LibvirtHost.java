// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Images;
import dev.vmckpt.kit.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * libvirt's real daemons, with nothing of this machine's: the system's in a mount namespace where
 * the folders it has by its build are empty ones, or those of a session of the user nobody.
 */
final class LibvirtHost implements AutoCloseable {
  /** Whose daemon it is. */
  enum Kind {
    SYSTEM,
    SESSION
  }

  /**
   * The user of the system's QEMUs is made by a package that wants systemd. He may use KVM, else
   * the daemon asks QEMU anew before each start what it can do.
   */
  private static final String MAKE =
      "for d in /run /var/lib /var/cache /var/log; do mount -t tmpfs libvirt $d || exit; done;"
          + " (cat /etc/passwd; echo libvirt-qemu:x:64055:64055::/:/bin/false) >/run/passwd;"
          + " (cat /etc/group; echo libvirt-qemu:x:64055:) >/run/group;"
          + " if [ -e /dev/kvm ]; then mknod -m 666 /run/kvm c 10 232 && mount --bind /run/kvm /dev/kvm; fi;"
          + " mount --bind /run/passwd /etc/passwd && mount --bind /run/group /etc/group"
          + " && mkdir -p \"$1\" && mount --bind \"$1\" /etc/libvirt && echo ready && exec cat";

  /** Control groups would outlive the test, and this machine's security driver is not asked. */
  private static final String CONFIGURATION =
      "cgroup_controllers = []\nsecurity_driver = \"none\"\n";

  private final Kind kind;
  private final Path folder;
  private final Vmckpt vmckpt;
  private final List<String> enter = new ArrayList<>();
  private final List<Integer> started = new ArrayList<>();
  private final List<Integer> guests = new ArrayList<>();
  private final Peer holder;
  private final Path run;

  /**
   * @param folder of the test's own
   */
  LibvirtHost(Kind kind, Path folder) throws Exception {
    this.kind = kind;
    this.folder = folder;
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx--x--x"));
    Vmckpt plain = new Vmckpt(folder);
    if (kind == Kind.SYSTEM) {
      Path etc = Files.createDirectory(folder.resolve("etc"));
      Files.writeString(etc.resolve("qemu.conf"), CONFIGURATION);
      holder = new Peer(folder, "unshare", "-m", "sh", "-c", MAKE, "sh", etc.toString());
      run = Path.of("/proc/" + holder.pid() + "/root/run/libvirt");
      holder.hear("ready");
      enter.addAll(List.of("nsenter", "-t", "" + holder.pid(), "-m"));
      vmckpt = plain.by(List.copyOf(enter));
    } else {
      holder = new Peer(folder, "cat");
      run = folder.resolve("run/libvirt");
      enter.addAll(
          List.of("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env"));
      enter.add("HOME=" + folder);
      for (String each : List.of("run", "config", "cache", "data")) {
        Path made = Files.createDirectory(folder.resolve(each));
        Commands.execute("chown", "nobody:nogroup", made.toString());
        enter.add(variable(each) + "=" + made);
      }
      vmckpt = plain;
    }
    boolean ready = false;
    try {
      start("virtlogd");
      Health.await("virtlogd", () -> Files.exists(run.resolve("virtlogd-sock")));
      start("libvirtd");
      Health.await("libvirtd", this::answers);
      ready = true;
    } finally {
      if (!ready) {
        close();
      }
    }
  }

  private static String variable(String folder) {
    return folder.equals("run")
        ? "XDG_RUNTIME_DIR"
        : "XDG_" + folder.toUpperCase(java.util.Locale.ROOT) + "_HOME";
  }

  private void start(String daemon) {
    List<String> command = new ArrayList<>(enter);
    command.add(daemon);
    started.add(Detached.start(folder.resolve(daemon + ".words"), command));
  }

  /** The number of libvirt's daemon, which vmckpt may have started. */
  private int daemon() throws IOException {
    return number(state("driver.pid"));
  }

  private static int number(Path file) throws IOException {
    return Integer.parseInt(Files.readString(file).strip());
  }

  /** The command line of a user of this host. */
  Vmckpt vmckpt() {
    return vmckpt;
  }

  /** How a user of vmckpt names a domain. */
  String target(String domain) {
    return "libvirt:" + (kind == Kind.SYSTEM ? domain : uri() + "#" + domain);
  }

  private String uri() {
    return kind == Kind.SYSTEM
        ? "qemu:///system"
        : "qemu+unix:///session?socket=" + run.resolve("libvirt-sock");
  }

  /** Its socket is there before anybody listens. */
  private boolean answers() throws IOException {
    try {
      virsh("list");
      return true;
    } catch (AssertionError notYet) {
      return false;
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  /** Runs virsh, which must succeed; what it said, without blanks at its ends. */
  String virsh(String... words) throws Exception {
    List<String> command = new ArrayList<>();
    if (kind == Kind.SYSTEM) {
      command.addAll(enter);
    }
    command.addAll(List.of("virsh", "-q", "-c", uri()));
    command.addAll(Arrays.asList(words));
    return Commands.execute(command.toArray(new String[0])).strip();
  }

  /** A file in the folder where the daemon keeps what it needs to know a domain again. */
  Path state(String name) {
    return run.resolve(kind == Kind.SYSTEM ? "qemu" : "qemu/run").resolve(name);
  }

  /** The process of a running domain. */
  int pid(String domain) throws IOException {
    return number(state(domain + ".pid"));
  }

  /** A folder that QEMU may write to. */
  Path writable(String name) throws Exception {
    Path made = Files.createDirectory(folder.resolve(name));
    Commands.execute(
        "chown", kind == Kind.SYSTEM ? "64055:64055" : "nobody:nogroup", made.toString());
    return made;
  }

  /** Defines and starts a domain whose guest is the firmware alone. */
  int firmware(String name, String more) throws Exception {
    return boot(
        name,
        "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
            + "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>"
            + more);
  }

  /**
   * Defines and starts a domain with the Linux guest: with a disk, a log of its console at {@code
   * serial} in that folder, and whatever libvirt gives a domain.
   */
  int linux(String name, Path files) throws Exception {
    for (Path each : List.of(Images.vmlinuz(), Images.initramfs(), Images.linuxDisk())) {
      Path copy = files.resolve(String.valueOf(each.getFileName()));
      Files.copy(each, copy);
      Commands.execute("chown", "--reference=" + files, copy.toString());
    }
    return boot(
        name,
        """
        <os>
          <type arch='x86_64' machine='pc'>hvm</type>
          <kernel>@/vmlinuz</kernel>
          <initrd>@/initramfs.gz</initrd>
          <cmdline>console=ttyS0 quiet loglevel=3 vmckpt.mem=16 vmckpt.verify=200</cmdline>
        </os>
        <devices>
          <emulator>/usr/bin/qemu-system-x86_64</emulator>
          <disk type='file' device='disk'>
            <driver name='qemu' type='raw'/>
            <source file='@/linux-disk.raw'/>
            <target dev='vda' bus='virtio'/>
          </disk>
          <serial type='file'><source path='@/serial'/></serial>
          <console type='pty'><target type='virtio'/></console>
          <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
          <graphics type='vnc'><listen type='socket'/></graphics>
        </devices>
        """
            .replace("@", files.toString()));
  }

  private int boot(String name, String machine) throws Exception {
    Path xml = folder.resolve(name + ".xml");
    Files.writeString(
        xml,
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>"
            + name
            + "</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>"
            + machine
            + "</domain>");
    virsh("define", xml.toString());
    virsh("start", name);
    int pid = pid(name);
    guests.add(pid);
    return pid;
  }

  @Override
  public void close() throws IOException {
    try {
      if (Files.exists(state("driver.pid"))) {
        started.add(daemon());
      }
    } finally {
      started.forEach(Detached::kill);
      for (int guest : guests) {
        // A number may have been given to somebody else by now.
        if (commandLine(guest).contains("qemu") && commandLine(guest).contains("masterKey0")) {
          Detached.kill(guest);
        }
      }
      holder.close();
    }
  }

  private static String commandLine(int pid) {
    try {
      return new String(
          Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline")),
          java.nio.charset.StandardCharsets.ISO_8859_1);
    } catch (IOException gone) {
      return "";
    }
  }
}
