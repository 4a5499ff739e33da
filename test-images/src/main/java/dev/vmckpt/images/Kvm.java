// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.nio.file.Files;
import java.nio.file.Path;

/** The KVM of this machine, which not every machine has. */
public final class Kvm {
  /** Why a test that needs it is left out. */
  public static final String MISSING =
      "this machine has no /dev/kvm that we may use: the test is left out";

  private static final Path DEVICE = Path.of("/dev/kvm");

  private Kvm() {}

  /** Whether guests can be started under it. */
  public static boolean isUsable() {
    return Files.isReadable(DEVICE) && Files.isWritable(DEVICE);
  }
}
