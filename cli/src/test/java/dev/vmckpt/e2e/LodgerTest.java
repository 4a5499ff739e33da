// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.Checkpointer;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.images.Target;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import dev.vmckpt.spi.remote.ThreadCall;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A task of ours in a target's address space, and threads that are moved on inside the pause. */
class LodgerTest {
  private static final long ECANCELED = 125;

  private static final int PASSES = 10;
  private static final Set<String> NO_DROPS = Set.of();

  @TempDir Path folder = Path.of("/nonexistent");

  @ParameterizedTest
  @ValueSource(strings = {"threads", "signals", "seccomp", "sleeper", "memory", "pipes", "epoll"})
  void theTargetDoesNotNotice(String program) throws IOException {
    Probing probing = new Probing();
    List<Adapter> adapters = new ArrayList<>();
    ServiceLoader.load(Adapter.class).forEach(adapters::add);
    adapters.add(probing);
    try (Target target = Target.start(folder, program);
        Checkpointer checkpointer = new Checkpointer(adapters)) {
      target.awaitPasses(3);
      List<String> before = maps(target.pid());
      for (int i = 0; i < 3; i++) {
        Path into = Files.createDirectory(folder.resolve("snapshot" + i));
        checkpointer.snapshot(
            new SnapshotRequest(target.pid(), into, Set.of(), null, false),
            ProgressListener.SILENT);
      }
      target.awaitPasses(PASSES);
      assertThat(target.errors()).isEmpty();
      assertThat(maps(target.pid())).hasSameSizeAs(before);
      assertThat(Files.readString(children(target.pid()))).isBlank();
    }
    assertThat(probing.seen).as("calls seen").isGreaterThanOrEqualTo(3 * Probing.CALLS);
  }

  /**
   * Who snapshots is killed in the middle of calls that have to be made to the end: they are, the
   * target goes on, and the next snapshot takes the workspace along and does not save it.
   */
  @Test
  void whatADeadLodgerLeavesIsTakenAlong() throws Exception {
    try (Target target = Target.start(folder, "memory")) {
      target.awaitPasses(3);
      List<String> before = allMaps(target.pid());
      List<String> command =
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-cp",
              System.getProperty("java.class.path"),
              Dying.class.getName(),
              Integer.toString(target.pid()),
              Files.createDirectory(folder.resolve("never")).toString());
      Process dying =
          new ProcessBuilder(command).redirectError(folder.resolve("errors").toFile()).start();
      try {
        String line = dying.inputReader().readLine();
        assertThat(line).as(Files.readString(folder.resolve("errors"))).isEqualTo("now");
        Thread.sleep(Dying.MILLIS / 4);
      } finally {
        dying.destroyForcibly().waitFor();
      }
      Path made = Path.of("/proc/" + target.pid() + "/fd/" + Dying.NUMBER);
      long deadline = System.nanoTime() + 20_000_000_000L;
      while (!Files.exists(made) && System.nanoTime() < deadline) {
        Thread.sleep(20);
      }
      assertThat(made).as("made by the last call of a batch").exists();
      target.awaitPasses(3);
      List<String> left = allMaps(target.pid());
      left.removeAll(before);
      left.removeIf(line -> !line.contains("r-xp"));
      assertThat(left).as("the page of code that stayed").hasSize(1);
      long start = Long.parseUnsignedLong(left.get(0).substring(0, left.get(0).indexOf('-')), 16);
      List<Adapter> adapters = new ArrayList<>(List.of(new Probing()));
      ServiceLoader.load(Adapter.class).forEach(adapters::add);
      try (Checkpointer checkpointer = new Checkpointer(adapters)) {
        Captured captured =
            checkpointer.snapshot(
                new SnapshotRequest(
                    target.pid(),
                    Files.createDirectory(folder.resolve("next")),
                    NO_DROPS,
                    null,
                    false),
                ProgressListener.SILENT);
        assertThat(captured.processes().get(0).memory().areas())
            .noneMatch(
                area -> area.start().value() < start + (1 << 20) && area.end().value() > start);
      }
      assertThat(allMaps(target.pid())).noneMatch(line -> line.startsWith(left.get(0)));
      assertThat(Files.readString(children(target.pid()))).isBlank();
      target.awaitPasses(PASSES);
      assertThat(target.errors()).isEmpty();
    }
  }

  /** Snapshots a process, and sleeps in the middle of calls that have to be made to the end. */
  static final class Dying {
    static final int NUMBER = 777;
    static final int MILLIS = 2000;

    private Dying() {}

    public static void main(String[] words) {
      Probing probing =
          new Probing() {
            @Override
            public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
              CallBatch batch = context.lodger().batch();
              ByteBuffer time = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
              time.putLong(MILLIS / 1000).putLong(MILLIS % 1000 * 1_000_000L);
              RemoteAddress at = batch.place(time.array());
              // nanosleep, dup2
              batch.tryCall(35, at.value(), 0);
              batch.tryCall(33, 1, NUMBER);
              System.out.println("now");
              batch.runThrough();
              throw new AssertionError("not killed in time");
            }
          };
      List<Adapter> adapters = new ArrayList<>(List.of(probing));
      ServiceLoader.load(Adapter.class).forEach(adapters::add);
      try (Checkpointer checkpointer = new Checkpointer(adapters)) {
        checkpointer.snapshot(
            new SnapshotRequest(
                Integer.parseInt(words[0]), Path.of(words[1]), NO_DROPS, null, false),
            ProgressListener.SILENT);
      }
    }
  }

  private static List<String> allMaps(int pid) throws IOException {
    return new ArrayList<>(Files.readAllLines(Path.of("/proc/" + pid + "/maps")));
  }

  private static Path children(int pid) {
    return Path.of("/proc/" + pid + "/task/" + pid + "/children");
  }

  private static List<String> maps(int pid) throws IOException {
    List<String> shared = new ArrayList<>(Files.readAllLines(Path.of("/proc/" + pid + "/maps")));
    // Stacks and heaps of threads come and go.
    shared.removeIf(line -> !line.contains("/"));
    return shared;
  }

  /** Claims nothing, and uses all that an adapter may. */
  private static class Probing implements Adapter {
    static final int CALLS = 3;
    private static final int SLOTS = 1000;
    private int seen;

    @Override
    public String name() {
      return "probing";
    }

    @Override
    public List<Carries> carries() {
      return List.of();
    }

    @Override
    public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
      return Optional.empty();
    }

    @Override
    public void rehearse(ExamineContext understudy) {
      throw new AssertionError("nothing was to be rehearsed");
    }

    @Override
    public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
      return List.of();
    }

    @Override
    public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
      throw new AssertionError("nothing was recorded");
    }

    @Override
    public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
      RemoteTask lodger = context.lodger();
      assertThat(lodger.tryCall(Nr.GETPID)).isNotEqualTo(context.pid()).isPositive();
      // Descriptors are the target's own.
      assertThat(lodger.tryCall(Nr.FCNTL, 1, 1)).isEqualTo(0);
      assertThat(lodger.tryCall(Nr.CLOSE, 4000)).isEqualTo(-Errno.EBADF);
      CallBatch batch = lodger.batch();
      RemoteAddress name = batch.reserve(400);
      int uname = batch.call("uname", "the kernel", 63, name.value());
      final int pid = batch.tryCallIfZero(Nr.GETPID);
      final int bad = batch.tryCall(Nr.CLOSE, -1);
      final int leftOut = batch.tryCallIfZero(Nr.GETPID);
      final int leftOutToo = batch.tryCallIfZero(Nr.GETPID);
      batch.run();
      assertThat(batch.result(uname)).isZero();
      assertThat(batch.result(pid)).isPositive();
      assertThat(batch.result(bad)).isEqualTo(-Errno.EBADF);
      assertThat(batch.result(leftOut)).isEqualTo(-ECANCELED);
      assertThat(batch.result(leftOutToo)).isEqualTo(-ECANCELED);
      assertThat(new String(batch.read(name, 5), java.nio.charset.StandardCharsets.UTF_8))
          .isEqualTo("Linux");
      sweep(lodger);
      return new Moving();
    }

    /** Asks for the limit of one resource after another until there is no such resource. */
    private static void sweep(RemoteTask lodger) {
      CallBatch batch = lodger.batch();
      RemoteAddress field =
          batch.place(
              ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(5).array());
      // write(-1, field, 0) is EBADF whatever the field says.
      assertThat(lodger.sweep(Nr.WRITE, -1, field.value(), 0, field, 3, SLOTS, -Errno.EBADF))
          .isEqualTo(SLOTS);
      long last =
          ByteBuffer.wrap(lodger.read(field, Long.BYTES)).order(ByteOrder.LITTLE_ENDIAN).getLong();
      assertThat(last).isEqualTo(5 + 3 * SLOTS);
      assertThat(lodger.sweep(Nr.WRITE, -1, field.value(), 0, field, 1, SLOTS, 0)).isZero();
    }

    private final class Moving implements Detachment {
      @Override
      public void settle(SettleContext context) {
        assertThat(context.threads()).isNotEmpty();
        int already = seen;
        boolean content =
            context.advance(
                List.of(),
                new CallWatch() {
                  @Override
                  public Interest entering(ThreadCall call) {
                    assertThat(call.number()).isNotNegative();
                    return seen >= already + CALLS
                        ? Interest.NONE
                        : seen % 2 == 0 ? Interest.WATCH : Interest.CUT_SHORT;
                  }

                  @Override
                  public Next left(ThreadCall call) {
                    seen++;
                    return Next.RUN;
                  }

                  @Override
                  public boolean content() {
                    return seen >= already + CALLS;
                  }
                },
                10_000);
        assertThat(content).isTrue();
        assertThat(context.lodger().tryCall(Nr.GETPID)).isPositive();
      }

      @Override
      public List<Recorded> record(RecordContext context) {
        assertThat(context.lodger().tryCall(Nr.GETPID)).isPositive();
        return List.of();
      }

      @Override
      public void resume() {
        // Nothing was brought to rest.
      }

      @Override
      public long finish() {
        return 0;
      }
    }
  }
}
