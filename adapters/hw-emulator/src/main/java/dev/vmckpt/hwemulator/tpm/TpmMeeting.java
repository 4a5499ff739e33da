// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.Meeting;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import org.jspecify.annotations.Nullable;

/** A swtpm that is called before anything is built. It is told nothing yet, only asked. */
final class TpmMeeting {
  private TpmMeeting() {}

  /**
   * Calls one.
   *
   * @param fd the number of the control channel
   * @param wish where the user wants it to be, or null
   * @param process who calls, and keeps the connection
   */
  static Meeting at(RemoteFd fd, TpmImage image, @Nullable String wish, RemoteTask process) {
    String path = Conversation.place(image.path(), wish);
    long connected = Conversation.tryConnect(process, path);
    if (connected < 0) {
      return refused(
          fd,
          image,
          path,
          connected == -Errno.EAGAIN
              ? "too many wait there already"
              : "no swtpm listens there (" + Errno.describe((int) -connected) + ")");
    }
    RemoteFd socket = new RemoteFd((int) connected);
    Swtpm swtpm = new Swtpm(new Conversation(process, socket, "swtpm at " + path), path);
    long capabilities = swtpm.tryCapabilities();
    if (capabilities < 0) {
      return refused(
          fd,
          image,
          path,
          "whoever listens there does not answer as swtpm does, or has another client: a swtpm"
              + " serves one machine");
    }
    if ((capabilities & Swtpm.NEEDED) != Swtpm.NEEDED) {
      return refused(fd, image, path, "that swtpm cannot be given a state");
    }
    String family = swtpm.family(capabilities);
    if (!family.equals(image.family())) {
      return refused(
          fd,
          image,
          path,
          "that swtpm is a TPM " + family + ", and the saved one was a TPM " + image.family());
    }
    return Meeting.with(socket);
  }

  private static Meeting refused(RemoteFd fd, TpmImage image, String path, String why) {
    return Meeting.refused(
        fd,
        "control channel of swtpm at " + path,
        why,
        "start one with a folder of its own, which will hold the saved state (swtpm socket"
            + (image.family().equals("1.2") ? "" : " --tpm2")
            + " --tpmstate dir=EMPTY-FOLDER --ctrl type=unixio,path="
            + path
            + ")");
  }
}
