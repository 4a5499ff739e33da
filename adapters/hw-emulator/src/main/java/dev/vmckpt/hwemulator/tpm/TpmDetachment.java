// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.Repose;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.SettleContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.RemoteTask;
import dev.vmckpt.spi.remote.ThreadCall;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The TPMs of a target. Nothing is done to them: they rest between two commands, and are asked
 * then.
 */
final class TpmDetachment implements Detachment {
  private static final int PIECE_MILLIS = 5;
  private static final int PIECES = 600;

  /** A TPM: its two channels, and who serves it. */
  private record Tpm(DescriptorResource control, DescriptorResource data, Peer swtpm) {}

  /** A state that is still to be written. */
  private record Kept(int control, int kind, byte[] bytes) {}

  private final List<Tpm> tpms;
  private final Path folder;
  private final List<Kept> kept = new ArrayList<>();

  private TpmDetachment(List<Tpm> tpms, Path folder) {
    this.tpms = tpms;
    this.folder = folder;
  }

  /**
   * @param peers who is at the other end, by the link of the socket
   */
  static TpmDetachment begin(
      List<DescriptorResource> claimed, Map<String, Peer> peers, DetachContext context) {
    List<Tpm> tpms = new ArrayList<>();
    for (DescriptorResource channel : claimed) {
      Peer swtpm = Objects.requireNonNull(peers.get(channel.link()));
      DescriptorResource other = other(channel, swtpm, claimed, peers);
      if (!swtpm.path().isEmpty()) {
        tpms.add(new Tpm(channel, other, swtpm));
      }
    }
    if (!tpms.isEmpty()) {
      context.lodger();
      // Loads what is used in the pause.
      Repose.rests(tpms.get(0).swtpm().pid());
      RecordJson.toTree(new TpmImage(0, "", "", 0, List.of(0)));
    }
    return new TpmDetachment(tpms, context.folder());
  }

  /** The other channel of a TPM, which the user may have left out. */
  private static DescriptorResource other(
      DescriptorResource channel,
      Peer swtpm,
      List<DescriptorResource> claimed,
      Map<String, Peer> peers) {
    for (DescriptorResource each : claimed) {
      Peer peer = peers.get(each.link());
      if (peer != null && !each.fd().equals(channel.fd()) && peer.pid() == swtpm.pid()) {
        return each;
      }
    }
    throw new RefusedException(
        "snapshot of process " + channel.pid(),
        List.of(
            new Refusal(
                channel.name() + " " + channel.link(),
                "the other channel of " + swtpm.text() + " is left out",
                "leave both out, or none: --drop " + channel.name())));
  }

  /** Nothing is on its way over either channel, and swtpm waits for a command. */
  private static boolean isIdle(Tpm tpm, RemoteTask lodger) {
    return Repose.rests(tpm.swtpm().pid())
        && Conversation.isQuiet(lodger, tpm.control().fd())
        && Conversation.isQuiet(lodger, tpm.data().fd());
  }

  /** A command that is being carried out is waited for; QEMU has to run to take its result. */
  @Override
  public void settle(SettleContext context) {
    for (int i = 0; i < tpms.size(); i++) {
      Tpm tpm = tpms.get(i);
      for (int piece = 0; !isIdle(tpm, context.lodger()); piece++) {
        if (piece == PIECES) {
          throw new RefusedException(
              "snapshot of process " + tpm.control().pid(),
              List.of(
                  new Refusal(
                      tpm.control().name() + " " + tpm.control().link(),
                      tpm.swtpm().text() + " is at work on a command, or does not run",
                      "try again when the guest does not use its TPM")));
        }
        context.advance(List.of(), new Nothing(), PIECE_MILLIS);
      }
    }
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<Recorded> all = new ArrayList<>();
    for (int i = 0; i < tpms.size(); i++) {
      Tpm tpm = tpms.get(i);
      RemoteTask lodger = context.lodger();
      if (!isIdle(tpm, lodger)) {
        throw new FailureException(
            tpm.swtpm().text()
                + " was given a command while others were brought to rest: try again");
      }
      String name = tpm.swtpm().text();
      Swtpm swtpm = new Swtpm(new Conversation(lodger, tpm.control().fd(), name), name);
      all.add(
          recorded(context, tpm.control(), name + " at " + tpm.swtpm().path(), ask(tpm, swtpm)));
      all.add(
          recorded(
              context,
              tpm.data(),
              "data channel of " + name,
              TpmImage.data(tpm.control().fd().number())));
    }
    return all;
  }

  private TpmImage ask(Tpm tpm, Swtpm swtpm) {
    int control = tpm.control().fd().number();
    long capabilities = swtpm.tryCapabilities();
    List<Integer> flags = new ArrayList<>();
    for (int kind = Swtpm.PERMANENT; kind <= Swtpm.SAVED; kind++) {
      Swtpm.Blob blob = swtpm.state(kind);
      flags.add(blob.flags());
      kept.add(new Kept(control, kind, blob.bytes()));
    }
    swtpm.lock(capabilities);
    return new TpmImage(
        control, tpm.swtpm().path(), swtpm.family(capabilities), swtpm.bufferSize(), flags);
  }

  private static Recorded recorded(
      RecordContext context, DescriptorResource channel, String summary, TpmImage state) {
    int flags = context.infoNow(channel).flags();
    return new Recorded(channel.fd(), flags, summary, RecordJson.toTree(state), 0);
  }

  @Override
  public void resume() {
    // Nothing was brought to rest.
  }

  /** What a TPM knows is secret: nobody else may read it, whatever the folder allows. */
  @Override
  public long finish() {
    for (Kept state : kept) {
      Path file = TpmImage.file(folder, state.control(), state.kind());
      Set<PosixFilePermission> owner = PosixFilePermissions.fromString("rw-------");
      try {
        Files.createDirectories(
            file.getParent(),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.newByteChannel(
                file,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(owner))
            .close();
        Files.write(file, state.bytes());
      } catch (IOException e) {
        throw new FailureException("the state of the TPM cannot be kept: " + e.getMessage(), e);
      }
    }
    return 0;
  }

  /** Lets threads run for a while, whatever they do. */
  private static final class Nothing implements CallWatch {
    @Override
    public Interest entering(ThreadCall call) {
      return Interest.NONE;
    }

    @Override
    public Next left(ThreadCall call) {
      return Next.RUN;
    }

    @Override
    public boolean content() {
      return false;
    }
  }
}
