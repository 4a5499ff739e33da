// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CensusTest {
  private final ContractKit kit;

  CensusTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private int counter() {
    return kit.own(ContractKit.call(Nr.EVENTFD2, 0, 0));
  }

  /**
   * A process whose table of descriptors rests: one that only sleeps may be looked at while the
   * dynamic loader still opens and closes its libraries, while one that answers is past that.
   */
  private static Process another() throws IOException {
    Process cat = new ProcessBuilder("cat").start();
    cat.getOutputStream().write('?');
    cat.getOutputStream().flush();
    assertThat(cat.getInputStream().read()).isEqualTo('?');
    return cat;
  }

  @Test
  void tellsSharedDescriptionsFromOthersOfTheSameKind() {
    int a = counter();
    int b = counter();
    int c = counter();
    int a2 = kit.dup(a);
    int c2 = kit.dup(c);
    try (Census census = Census.take(kit.process.pid())) {
      assertThat(ContractKit.resource(census, a2).numbers())
          .containsExactly(new RemoteFd(a), new RemoteFd(a2));
      assertThat(ContractKit.resource(census, b).numbers()).containsExactly(new RemoteFd(b));
      assertThat(ContractKit.resource(census, c).numbers())
          .containsExactly(new RemoteFd(c), new RemoteFd(c2));
      List<RemoteFd> lowest = new java.util.ArrayList<>();
      for (DescriptorResource resource : census.descriptors()) {
        lowest.add(resource.fd());
      }
      assertThat(lowest).isSorted();
      assertThat(census.refusals()).isEmpty();
    }
  }

  @Test
  void noticesEveryChangeOfTheTable() throws Exception {
    Process cat = another();
    try (Census census = Census.take((int) cat.pid())) {
      assertThat(census.closedSince((int) cat.pid())).isEmpty();
      assertThat(census.closedSince(kit.process.pid())).isNull();
    } finally {
      cat.destroyForcibly().waitFor();
    }
    // Our own table changes by itself, so only the change is asserted.
    int a = counter();
    int b = counter();
    try (Census census = Census.take(kit.process.pid())) {
      ContractKit.call(Nr.DUP3, a, b, 0);
      assertThat(census.closedSince(kit.process.pid())).isNull();
    }
  }

  @Test
  void looksAtAnotherProcess() throws Exception {
    Process cat = another();
    try (Census census = Census.take((int) cat.pid())) {
      assertThat(census.descriptors()).hasSize(3);
      for (DescriptorResource resource : census.descriptors()) {
        assertThat(KernelObjects.recognise(resource, census)).isPresent();
      }
    } finally {
      cat.destroyForcibly().waitFor();
    }
    assertThatThrownBy(() -> Census.take((int) cat.pid())).isInstanceOf(TargetGoneException.class);
  }
}
