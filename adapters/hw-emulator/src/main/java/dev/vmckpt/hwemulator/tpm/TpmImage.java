// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import java.nio.file.Path;
import java.util.List;

/**
 * What is recorded of a connection to swtpm.
 *
 * @param control the number of the control channel, in the records of both
 * @param path where swtpm listened; empty in the record of the data channel, like all below
 * @param family of which TPM it was
 * @param bufferBytes the size of its buffer, which QEMU has told the guest
 * @param flags of its states, in their order
 */
record TpmImage(int control, String path, String family, int bufferBytes, List<Integer> flags) {
  private static final String[] KINDS = {"permanent", "volatile", "saved"};

  static TpmImage data(int control) {
    return new TpmImage(control, "", "", 0, List.of());
  }

  /** The file of a snapshot that holds one of the states. */
  static Path file(Path snapshot, int control, int kind) {
    return snapshot.resolve("tpm").resolve("fd-" + control + "." + KINDS[kind - Swtpm.PERMANENT]);
  }
}
