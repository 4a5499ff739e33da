// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.EmulatorReattachment;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Gives a swtpm the state of the saved one, and QEMU its two connections to it. */
final class TpmReattachment extends EmulatorReattachment<TpmImage> {
  TpmReattachment(TpmAdapter adapter, List<Recorded> recorded, ReattachContext context) {
    super(adapter, recorded, context);
  }

  /** In the order in which QEMU does it; QEMU has one end of the data channel. */
  @Override
  protected Optional<RemoteFd> furnish(TpmImage image, RemoteFd control) {
    String name = "the swtpm of fd:" + image.control();
    Swtpm swtpm = new Swtpm(new Conversation(context.husk(), control, name), name);
    Optional<RemoteFd> data = second(name, swtpm::setDataChannel);
    swtpm.stop();
    swtpm.setBufferSize(image.bufferBytes());
    for (int kind = Swtpm.PERMANENT; kind <= Swtpm.SAVED; kind++) {
      swtpm.setState(
          kind, new Swtpm.Blob(image.flags().get(kind - Swtpm.PERMANENT), read(image, kind)));
    }
    swtpm.resume();
    return data;
  }

  private byte[] read(TpmImage image, int kind) {
    Path file = TpmImage.file(context.snapshot(), image.control(), kind);
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new SnapshotException(
          SnapshotException.Fault.CORRUPT,
          "the state of the TPM cannot be read: " + e.getMessage());
    }
  }
}
