// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.kit.Claiming;
import dev.vmckpt.kit.SelfTask;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An adapter's moments with this very process as the target and as the husk. */
final class AdapterMoments implements AutoCloseable {
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int O_CLOEXEC = 02000000;
  private static final int PARKING = 700;

  private final SelfTask task;
  private final List<String> notes = new ArrayList<>();
  private final Map<String, String> wishes = new HashMap<>();
  private final List<Integer> parked = new ArrayList<>();
  private final List<Integer> owned = new ArrayList<>();

  AdapterMoments(SelfTask task) {
    this.task = task;
  }

  /** What the adapter told the user. */
  List<String> notes() {
    return notes;
  }

  /** {@code --reattach}. */
  Map<String, String> wishes() {
    return wishes;
  }

  /** Closes a descriptor in the end. */
  void own(int fd) {
    owned.add(fd);
  }

  private DescriptorResource describe(RemoteFd fd) {
    Path path = Path.of("/proc/self/fd/" + fd.number());
    try {
      Map<String, Object> stat = Files.readAttributes(path, "unix:*");
      return new DescriptorResource(
          task.pid(),
          List.of(fd),
          List.of(true),
          Files.readSymbolicLink(path).toString(),
          new FileStat(0, 0, (int) number(stat, "mode"), device(number(stat, "rdev")), 0, 1, 0),
          info(fd));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long number(Map<String, Object> stat, String name) {
    return stat.get(name) instanceof Number number ? number.longValue() : -1;
  }

  /** st_rdev of small numbers: minor in bits 0 to 7, major in 8 to 19. */
  private static long device(long rdev) {
    return (rdev >>> 8 & 0xfff) << 32 | (rdev & 0xff);
  }

  private static FdInfo info(RemoteFd fd) {
    try {
      List<String> lines = Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd.number()));
      String position = lines.get(0).substring("pos:".length()).strip();
      return new FdInfo(Long.parseLong(position), 2 | O_CLOEXEC, List.of());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private List<DescriptorResource> claimed(Adapter adapter, List<RemoteFd> fds) {
    List<DescriptorResource> all = fds.stream().map(this::describe).toList();
    ClaimContext context = new Claiming(new LinuxFileCloner(), all);
    for (DescriptorResource each : all) {
      assertThat(adapter.claim(each, context).map(Claim::refusal)).as(each.link()).isEmpty();
      assertThat(adapter.claim(each, context)).as(each.link()).isPresent();
    }
    return all;
  }

  List<Finding> examine(Adapter adapter, List<RemoteFd> fds) {
    return adapter.examine(
        claimed(adapter, fds),
        new ExamineContext() {
          @Override
          public void frozen(Runnable work) {
            work.run();
          }

          @Override
          public int pid() {
            return task.pid();
          }

          @Override
          public RemoteTask lodger() {
            return task;
          }
        });
  }

  /** Claim, detach, record, resume, finish. */
  List<Recorded> record(Adapter adapter, List<RemoteFd> fds) {
    Detachment detachment = adapter.detach(claimed(adapter, fds), detaching());
    try {
      detachment.begin();
      return detachment.record(recording()).stream()
          .sorted(java.util.Comparator.comparing(Recorded::fd))
          .toList();
    } finally {
      detachment.resume();
      assertThat(detachment.finish()).isZero();
    }
  }

  private DetachContext detaching() {
    return new DetachContext() {
      @Override
      public int pid() {
        return task.pid();
      }

      @Override
      public FileCloner cloner() {
        return new LinuxFileCloner();
      }

      @Override
      public Path folder() {
        return Path.of("/nonexistent");
      }

      @Override
      public RemoteTask lodger() {
        return task;
      }

      @Override
      public void frozen(Runnable work) {
        work.run();
      }

      @Override
      public List<DiskKeeper> keepers() {
        return List.of();
      }

      @Override
      public void announce(String message) {
        notes.add(message);
      }
    };
  }

  private RecordContext recording() {
    return new RecordContext() {
      @Override
      public RemoteTask target() {
        return task;
      }

      @Override
      public RemoteTask lodger() {
        return task;
      }

      @Override
      public String maps() {
        return ProcFs.read(ProcFs.of(task.pid(), "maps"));
      }

      @Override
      public FdInfo infoNow(DescriptorResource resource) {
        return info(resource.fd());
      }

      @Override
      public FileCloner cloner() {
        return new LinuxFileCloner();
      }
    };
  }

  PreflightContext preflight() {
    return new PreflightContext() {
      @Override
      public RemoteTask process() {
        return task;
      }

      @Override
      public RemoteFd keep(RemoteFd fd) {
        throw new AssertionError("a machine is not met before");
      }

      @Override
      public Map<String, String> reattach() {
        return wishes;
      }

      @Override
      public void note(String message) {
        notes.add(message);
      }
    };
  }

  /** Puts a new machine, made by the adapter, in the place of one. */
  void remake(Adapter adapter, List<Recorded> recorded, TestMachine machine) {
    Reattachment reattachment = adapter.reattach(recorded, reattaching());
    for (Recorded each : recorded) {
      RemoteFd made = reattachment.reattach(each).fd();
      int wanted = each.fd().number();
      task.call("dup3", each.summary(), Nr.DUP3, made.number(), wanted, O_CLOEXEC);
      if (!parked.contains(made.number())) {
        task.call("close", each.summary(), Nr.CLOSE, made.number());
      }
    }
    for (int id = 0; id < machine.descriptors().size() - 2; id++) {
      machine.map(machine.vcpu(id), machine.run(id));
    }
    reattachment.complete();
    closeParked();
  }

  private ReattachContext reattaching() {
    return new ReattachContext() {
      @Override
      public RemoteTask husk() {
        return task;
      }

      @Override
      public GuardedChannel pull(RemoteFd fd) {
        throw new AssertionError("nobody talks to a husk here");
      }

      @Override
      public RemoteFd park(RemoteFd fd) {
        int number =
            (int)
                task.call("fcntl", fd.toString(), Nr.FCNTL, fd.number(), F_DUPFD_CLOEXEC, PARKING);
        task.call("close", fd.toString(), Nr.CLOSE, fd.number());
        parked.add(number);
        return new RemoteFd(number);
      }

      @Override
      public Path snapshot() {
        return Path.of("/nonexistent");
      }

      @Override
      public Path work() {
        return Path.of("/nonexistent");
      }

      @Override
      public boolean inPlace() {
        return false;
      }

      @Override
      public Map<String, String> reattach() {
        return wishes;
      }

      @Override
      public FileCloner cloner() {
        return new LinuxFileCloner();
      }

      @Override
      public void note(String message) {
        notes.add(message);
      }
    };
  }

  private void closeParked() {
    for (int fd : parked) {
      task.call("close", "fd:" + fd, Nr.CLOSE, fd);
    }
    parked.clear();
  }

  @Override
  public void close() {
    closeParked();
    for (int fd : owned) {
      task.call("close", "fd:" + fd, Nr.CLOSE, fd);
    }
  }
}
