// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.Repose;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.AreaClaim;
import dev.vmckpt.spi.AreaResource;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Carries the two connections of QEMU to a swtpm, and what that swtpm knows. */
public final class TpmAdapter implements Adapter {
  private static final String SERVER = "swtpm";

  /** Who was claimed, by the link of the socket. */
  private final Map<String, Peer> peers = new HashMap<>();

  /** Who was met before a restore, by the recorded number of the control channel. */
  private final Map<Integer, RemoteFd> met = new HashMap<>();

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
  public List<String> before() {
    return List.of();
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
    return resource.stat().isSocket()
        ? context.peer(resource).filter(peer -> peer.name().equals(SERVER))
        : Optional.empty();
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
  public Optional<AreaClaim> claim(AreaResource area, ClaimContext context) {
    return Optional.empty();
  }

  @Override
  public List<Finding> examine(List<DescriptorResource> claimed, ExamineContext context) {
    return List.of();
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    return TpmDetachment.begin(claimed, peers, context);
  }

  /** A question to ourselves, whose answer is there already. */
  @Override
  public void rehearse(ExamineContext understudy) {
    RemoteTask task = understudy.lodger();
    RemoteFd[] ends = Conversation.pair(task, SERVER);
    Conversation other = new Conversation(task, ends[1], SERVER);
    Swtpm swtpm = new Swtpm(new Conversation(task, ends[0], SERVER), SERVER);
    other.tell(new byte[8], List.of());
    swtpm.tryCapabilities();
    other.tell(new byte[16], List.of());
    swtpm.state(Swtpm.VOLATILE);
    other.tell(new byte[12], List.of());
    swtpm.family(-1);
    other.tell(new byte[16], List.of());
    swtpm.bufferSize();
    Conversation.isQuiet(task, ends[0]);
    for (RemoteFd end : ends) {
      task.call("close", SERVER, Nr.CLOSE, end.number());
    }
  }

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    List<Refusal> refusals = new ArrayList<>();
    for (Recorded each : recorded) {
      TpmImage image = image(each);
      String wish = context.reattach().get(each.fd().toString());
      if (!image.path().isEmpty()) {
        TpmMeeting meeting = TpmMeeting.at(each.fd(), image, wish, context.process());
        if (meeting.refusal() != null) {
          refusals.add(meeting.refusal());
        } else {
          met.put(image.control(), context.keep(meeting.socket()));
        }
      } else if (wish != null) {
        refusals.add(
            new Refusal(
                each.fd() + " data channel of swtpm",
                "it is made over the control channel",
                "--reattach fd:" + image.control() + "=PATH"));
      }
    }
    return refusals;
  }

  static TpmImage image(Recorded recorded) {
    return RecordJson.fromTree(recorded.state(), TpmImage.class, "the record of " + recorded.fd());
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new TpmReattachment(recorded, met, context);
  }
}
