// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.hwemulator.Meeting;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A backend that is called before anything is built, and has to be as good as the saved one. */
final class VhostMeeting {
  /** Where struct virtio_blk_config (linux/virtio_blk.h) says whether writes are cached. */
  static final int CACHE_AT = 32;

  /** VIRTIO_BLK_F_CONFIG_WCE: the guest may change that. */
  static final long CACHE_CHANGES = 1 << 11;

  private VhostMeeting() {}

  /**
   * Calls one.
   *
   * @param fd the number of the connection
   * @param wish where the user wants it to be, or null
   * @param process who calls, and keeps the connection
   */
  static Meeting at(RemoteFd fd, VhostImage image, @Nullable String wish, RemoteTask process) {
    String path = Conversation.place(image.path(), wish);
    long connected = Conversation.tryConnect(process, path);
    if (connected < 0) {
      return refused(
          fd, path, "no backend listens there (" + Errno.describe((int) -connected) + ")");
    }
    RemoteFd socket = new RemoteFd((int) connected);
    String name = "the backend at " + path;
    try {
      String why = wrong(new VhostUser(new Conversation(process, socket, name), name), image);
      return why.isEmpty() ? Meeting.with(socket) : refused(fd, path, why);
    } catch (FailureException e) {
      return refused(fd, path, e.getMessage() + "");
    }
  }

  /** What keeps a backend from taking the place of the saved one; empty for nothing. */
  private static String wrong(VhostUser user, VhostImage image) {
    long features = user.tryFeatures();
    if (features == 0) {
      return "whoever listens there does not answer as a vhost-user backend does, or has another"
          + " client";
    }
    if ((image.features() & ~features) != 0) {
      return "that backend lacks features of the saved one: 0x"
          + Long.toHexString(image.features() & ~features);
    }
    long protocol = user.protocolFeatures();
    if ((image.protocol() & ~protocol) != 0) {
      return "that backend lacks features of the protocol that the saved one had: 0x"
          + Long.toHexString(image.protocol() & ~protocol);
    }
    user.setProtocolFeatures(image.protocol());
    if ((image.protocol() & VhostUser.QUEUES) != 0 && user.queues() < image.queues()) {
      return "that backend has fewer queues than the saved one had, " + image.queues();
    }
    byte[] saved = image.config();
    byte[] found = saved.length == 0 ? saved : user.config(saved.length);
    return isSameDisk(saved, found, features)
        ? ""
        : "that backend serves a disk of another size or kind than the saved one";
  }

  private static boolean isSameDisk(byte[] saved, byte[] found, long features) {
    byte[] compared = found.clone();
    if ((features & CACHE_CHANGES) != 0 && compared.length > CACHE_AT && saved.length > CACHE_AT) {
      compared[CACHE_AT] = saved[CACHE_AT];
    }
    return Arrays.equals(saved, compared);
  }

  private static Meeting refused(RemoteFd fd, String path, String why) {
    return Meeting.refused(
        fd,
        "backend of a disk at " + path,
        why,
        "start one there that serves the disk as it was when the snapshot was taken"
            + " (qemu-storage-daemon --blockdev driver=file,filename=DISK,node-name=disk --export"
            + " vhost-user-blk,id=disk,node-name=disk,writable=on,addr.type=unix,addr.path="
            + path
            + ")");
  }
}
