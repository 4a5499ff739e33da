// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.Checkpointer;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.images.Guest;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.SelfcheckMachine;
import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** A snapshot of a QEMU/KVM guest as on kernels that tell slots of a stopped machine only. */
@Isolated
class OldKernelTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void theSameSlotsAreSavedAndTheGuestGoesOn() throws IOException {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/qemu-system-x86_64")), "no QEMU");
    List<String> announced = new ArrayList<>();
    try (Guest guest = SelfcheckMachine.kvm().start(folder)) {
      guest.awaitTicks(3);
      List<SlotImage> told = slots(snapshot(guest.pid(), true, announced));
      assertThat(announced).noneMatch(each -> each.contains("stand still"));
      guest.awaitTicks(2);
      List<SlotImage> tried = slots(snapshot(guest.pid(), false, announced));
      assertThat(announced).anyMatch(each -> each.contains("stand still"));
      assertThat(told).isNotEmpty();
      assertThat(tried).containsExactlyInAnyOrderElementsOf(told);
      guest.awaitTicks(5);
      assertThat(guest.errors()).isEmpty();
    }
  }

  private Captured snapshot(int pid, boolean memFd, List<String> announced) throws IOException {
    List<Adapter> adapters = new ArrayList<>();
    ServiceLoader.load(Adapter.class).forEach(adapters::add);
    adapters.removeIf(each -> each instanceof KvmAdapter);
    adapters.add(new KvmAdapter(() -> new KernelFinder(memFd)));
    Path into = Files.createDirectory(folder.resolve("snapshot-" + memFd));
    try (Checkpointer checkpointer = new Checkpointer(adapters)) {
      return checkpointer.snapshot(
          new SnapshotRequest(pid, into, Set.of(), null, false), listening(announced));
    }
  }

  private static ProgressListener listening(List<String> announced) {
    return new ProgressListener() {
      @Override
      public void begin(String what, long totalBytes) {
        // Only announcements are listened to.
      }

      @Override
      public void advance(long bytes) {
        // Only announcements are listened to.
      }

      @Override
      public void announce(String message) {
        announced.add(message);
      }
    };
  }

  /** The slots as the adapter recorded them, before they are written as JSON. */
  private static List<SlotImage> slots(Captured captured) {
    for (OpenFileImage file : captured.processes().get(0).files()) {
      if (file.object() instanceof DescriptorImage.Connection connection
          && connection.adapter().equals("kvm")
          && connection.state().value() instanceof KvmImage image
          && image.vm() != null) {
        return image.vm().slots();
      }
    }
    throw new AssertionError("no virtual machine was recorded");
  }
}
