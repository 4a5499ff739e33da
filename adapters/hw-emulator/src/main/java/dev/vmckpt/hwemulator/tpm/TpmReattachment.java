// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Gives a swtpm the state of the saved one, and QEMU its two connections to it. */
final class TpmReattachment implements Reattachment {
  private final List<Recorded> recorded;
  private final Map<Integer, RemoteFd> met;
  private final ReattachContext context;

  /** The data channels that were made, by the number of their control channels. */
  private final Map<Integer, RemoteFd> channels = new HashMap<>();

  /**
   * @param met the connections that were made before the husk was, by the numbers of their control
   *     channels
   */
  TpmReattachment(List<Recorded> recorded, Map<Integer, RemoteFd> met, ReattachContext context) {
    this.recorded = recorded;
    this.met = met;
    this.context = context;
  }

  @Override
  public Reattached reattach(Recorded each) {
    TpmImage image = TpmAdapter.read(each);
    RemoteFd control = met.get(image.control());
    if (control == null) {
      throw new IllegalStateException("no swtpm was met for fd:" + image.control());
    }
    if (!channels.containsKey(image.control())) {
      channels.put(image.control(), furnish(control(image.control()), control));
    }
    RemoteFd made = image.path().isEmpty() ? channels.get(image.control()) : control;
    Conversation.setFlags(context.husk(), made, each.statusFlags());
    return new Reattached(made);
  }

  private TpmImage control(int number) {
    for (Recorded each : recorded) {
      if (each.fd().number() == number) {
        return TpmAdapter.read(each);
      }
    }
    throw new SnapshotException(
        SnapshotException.Fault.CORRUPT, "the snapshot holds no control channel fd:" + number);
  }

  /** In the order in which QEMU does it; returns QEMU's end of the data channel. */
  private RemoteFd furnish(TpmImage image, RemoteFd control) {
    RemoteTask husk = context.husk();
    String name = "the swtpm of fd:" + image.control();
    Swtpm swtpm = new Swtpm(new Conversation(husk, control, name), name);
    RemoteFd[] ends = Conversation.pair(husk, name);
    swtpm.setDataChannel(ends[1]);
    husk.call("close", name, Nr.CLOSE, ends[1].number());
    swtpm.stop();
    swtpm.setBufferSize(image.bufferBytes());
    for (int kind = Swtpm.PERMANENT; kind <= Swtpm.SAVED; kind++) {
      swtpm.setState(
          kind, new Swtpm.Blob(image.flags().get(kind - Swtpm.PERMANENT), read(image, kind)));
    }
    swtpm.resume();
    return context.park(ends[0]);
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

  @Override
  public void complete() {
    // Nothing else refers to them.
  }

  @Override
  public void restarted(RestartedContext restarted) {
    // swtpm waits for commands.
  }
}
