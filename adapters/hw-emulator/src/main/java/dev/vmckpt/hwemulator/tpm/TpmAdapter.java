// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.EmulatorAdapter;
import dev.vmckpt.hwemulator.Meeting;
import dev.vmckpt.hwemulator.Repose;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Carries the two connections of QEMU to a swtpm, and what that swtpm knows. */
public final class TpmAdapter extends EmulatorAdapter<TpmImage> {
  private static final String SERVER = "swtpm";

  /** Of all that swtpm serves. */
  public TpmAdapter() {
    super(TpmImage.class, "data channel of swtpm");
  }

  @Override
  public String name() {
    return "tpm";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "TPM that swtpm serves",
            "its state is kept, and given to the swtpm that listens there; `--reattach fd:N=PATH`",
            false));
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    Optional<Peer> peer = tpm(resource, context);
    if (peer.isEmpty() || !isWhole(peer.get(), context)) {
      return Optional.empty();
    }
    Peer swtpm = peer.get();
    peers.put(resource.link(), swtpm);
    String what = (swtpm.path().isEmpty() ? "data" : "control") + " channel of " + swtpm.text();
    return Optional.of(
        Repose.isVisible(swtpm.pid())
            ? Claim.carried(what + ", whose state is kept")
            : Claim.refused(
                what,
                "whether " + swtpm.text() + " is at work cannot be seen",
                "run as root, or leave the TPM out: --drop " + resource.name()));
  }

  /** The swtpm at the other end, if it is one. */
  private static Optional<Peer> tpm(DescriptorResource resource, ClaimContext context) {
    return peer(resource, context).filter(peer -> peer.name().equals(SERVER));
  }

  /** Whether there are just one control channel, that can be called again, and one for data. */
  private static boolean isWhole(Peer swtpm, ClaimContext context) {
    int control = 0;
    int data = 0;
    for (DescriptorResource each : context.descriptors()) {
      Optional<Peer> peer = tpm(each, context).filter(one -> one.pid() == swtpm.pid());
      if (peer.isPresent()) {
        control += peer.get().path().isEmpty() ? 0 : 1;
        data += peer.get().path().isEmpty() ? 1 : 0;
      }
    }
    return control == 1 && data == 1;
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    return TpmDetachment.begin(claimed, peers, context);
  }

  /** A question to ourselves, whose answer is there already. */
  @Override
  public void rehearse(ExamineContext understudy) {
    Conversation.rehearse(
        understudy.lodger(),
        SERVER,
        (ours, other) -> {
          Swtpm swtpm = new Swtpm(ours, SERVER);
          other.tell(new byte[8], List.of());
          swtpm.tryCapabilities();
          other.tell(new byte[16], List.of());
          swtpm.state(Swtpm.VOLATILE);
          other.tell(new byte[12], List.of());
          swtpm.family(-1);
          other.tell(new byte[16], List.of());
          swtpm.bufferSize();
        });
  }

  @Override
  protected int called(TpmImage image) {
    return image.control();
  }

  @Override
  protected String path(TpmImage image) {
    return image.path();
  }

  @Override
  protected Meeting meet(RemoteFd fd, TpmImage image, @Nullable String wish, RemoteTask process) {
    return TpmMeeting.at(fd, image, wish, process);
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new TpmReattachment(this, recorded, context);
  }
}
