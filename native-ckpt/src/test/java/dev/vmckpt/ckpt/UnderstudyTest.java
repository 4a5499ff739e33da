// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.objects.Census;
import dev.vmckpt.ckpt.objects.KernelObject;
import dev.vmckpt.ckpt.objects.KernelObjects;
import dev.vmckpt.spi.DescriptorResource;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The throwaway process holds what a virtual machine usually holds. */
class UnderstudyTest {
  @TempDir Path folder;

  @Test
  void holdsOneOfEach() throws Exception {
    Set<String> kinds = new TreeSet<>();
    try (Understudy understudy = Understudy.start(folder, 30);
        Census census = Census.take(understudy.pid())) {
      for (DescriptorResource resource : census.descriptors()) {
        KernelObjects.recognise(resource, census).ifPresent(r -> kinds.add(nameOf(r.object())));
      }
    }
    assertThat(kinds)
        .contains(
            "eventfd",
            "timerfd",
            "signalfd",
            "epoll",
            "pipe",
            "socket pair",
            "socket",
            "lost connection",
            "memory device");
  }

  private static String nameOf(KernelObject<?> object) {
    return object.name();
  }
}
