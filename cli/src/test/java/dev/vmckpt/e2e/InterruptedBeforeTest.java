// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Target;
import dev.vmckpt.spi.image.ThreadImage;
import dev.vmckpt.store.Stored;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A snapshot of a process that was stopped and continued before. Its waiting threads stand in a
 * restart_syscall then, which a restored process cannot go on with: it would hear EINTR.
 */
class InterruptedBeforeTest {
  /** Its number, and where rax lies in struct user_regs_struct (arch/x86/include/asm/user_64.h). */
  private static final long RESTART_SYSCALL = 219;

  private static final int RAX = 80;

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void waitingThreadsGoOnWaiting() {
    try (Workshop workshop = new Workshop(folder);
        Target original = Target.start(folder, "sleeper")) {
      original.awaitPasses(3);
      Detached.signal(original.pid(), "STOP");
      Detached.awaitState(original.pid(), 'T');
      Detached.signal(original.pid(), "CONT");
      original.awaitPasses(3);
      Stored saved = workshop.snapshot(original.pid());
      for (ThreadImage thread : saved.manifest().processes().get(0).threads()) {
        assertThat(call(thread)).as("%s", thread.name()).isNotEqualTo(RESTART_SYSCALL);
      }
      original.awaitPasses(3);
      assertThat(original.errors()).isEmpty();
      original.end();
      Restored restored = workshop.restore(saved);
      Target again = original.twin(restored.pid(), original.log().path());
      again.awaitPasses(20);
      assertThat(again.errors()).isEmpty();
    }
  }

  private static long call(ThreadImage thread) {
    return ByteBuffer.wrap(thread.registers()).order(ByteOrder.LITTLE_ENDIAN).getLong(RAX);
  }
}
