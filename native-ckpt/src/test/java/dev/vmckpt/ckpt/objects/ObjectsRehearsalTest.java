// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ObjectsRehearsalTest {
  private static int descriptors() {
    return Objects.requireNonNull(new File("/proc/self/fd").list()).length;
  }

  @Test
  void leavesNothingOpen(@TempDir Path folder) {
    ObjectsRehearsal.run(folder);
    int before = descriptors();
    for (int i = 0; i < 50; i++) {
      ObjectsRehearsal.run(folder);
    }
    // Others of this process may open and close some meanwhile.
    assertThat(descriptors()).isLessThan(before + 20);
    assertThat(folder).isEmptyDirectory();
  }
}
