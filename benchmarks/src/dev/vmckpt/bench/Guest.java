// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A guest of test-images under QEMU, with a qcow2 disk, a monitor and a console. */
final class Guest implements AutoCloseable {
  /** Milliseconds from one line of the guest to the next: how finely a pause is seen. */
  static final int TICK = 5;

  private final Bench bench;
  private final Load load;
  private final Path disk;
  private final Path socket;
  private final Path free;
  private final Path log;
  private ProcessHandle process;
  private Console console;
  private Qmp qmp;

  private Guest(Bench bench, Load load, Path disk) {
    this.bench = bench;
    this.load = load;
    this.disk = disk;
    String name = bench.freshName();
    socket = bench.quick().resolve(name + ".qmp");
    free = bench.quick().resolve(name + ".free");
    log = bench.quick().resolve(name + ".console");
  }

  /** Boots one, waits until its memory is filled, and gives it time to come to rest. */
  static Guest boot(Bench bench, Load load) {
    load.requireAccelerator();
    Path disk = bench.work().resolve(bench.freshName() + ".disk");
    load.makeDisk(bench.root().resolve("test-images/target"), disk);
    Guest guest = new Guest(bench, load, disk);
    guest.start(List.of());
    try {
      guest.console.awaitReady(guest.process::isAlive);
      if (!guest.process.isAlive()) {
        throw new IllegalStateException("QEMU ended before its guest was ready");
      }
      guest.connect();
    } catch (RuntimeException e) {
      guest.close();
      throw e;
    }
    Processes.sleep(1500);
    return guest;
  }

  /** The same guest as another one, on that disk, brought to life by QEMU's own means. */
  static Guest again(Guest other, Path disk, List<String> how) {
    Guest guest = new Guest(other.bench, other.load, disk);
    guest.start(how);
    return guest;
  }

  private void start(List<String> how) {
    Path images = bench.root().resolve("test-images/target");
    List<String> command = new ArrayList<>();
    command.add("qemu-system-x86_64");
    command.addAll(load.options(images));
    command.addAll(List.of("-drive", load.drive(disk)));
    // One for us, who see by it how long the guest stands still, and a free one for vmckpt.
    command.addAll(List.of("-qmp", "unix:" + socket + ",server=on,wait=off"));
    command.addAll(List.of("-qmp", "unix:" + free + ",server=on,wait=off"));
    command.addAll(List.of("-serial", "file:" + log));
    command.addAll(how);
    process = Processes.start(command, new File("/dev/null"));
    console = new Console(log);
  }

  private void connect() {
    qmp = new Qmp(socket);
    qmp.execute(
        "migrate-set-capabilities",
        Map.of("capabilities", List.of(Map.of("capability", "events", "state", true))));
    // Otherwise QEMU holds itself back to 128 MiB per second.
    qmp.execute("migrate-set-parameters", Map.of("max-bandwidth", 64L << 30));
  }

  long pid() {
    return process.pid();
  }

  ProcessHandle process() {
    return process;
  }

  Path disk() {
    return disk;
  }

  Console console() {
    return console;
  }

  Qmp qmp() {
    return qmp;
  }

  /** Ends the process and keeps the rest: something will bring it back. */
  void kill() {
    if (qmp != null) {
      qmp.close();
      qmp = null;
    }
    Processes.end(process);
  }

  /** Another process is this guest now. */
  void cameBackAs(long pid) {
    process = Processes.adopt(ProcessHandle.of(pid).orElseThrow());
  }

  @Override
  public void close() {
    kill();
    console.close();
    try {
      Files.deleteIfExists(log);
      Files.deleteIfExists(socket);
      Files.deleteIfExists(free);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
