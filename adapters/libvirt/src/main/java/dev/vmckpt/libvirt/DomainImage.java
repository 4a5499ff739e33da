// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.json.RecordJson;
import java.util.List;

/**
 * What is recorded of a domain with libvirt's connection to its monitor.
 *
 * @param name the domain's
 * @param uuid the domain's
 * @param uri of its daemon
 * @param pid of its process, which libvirt's state tells too
 * @param statePath where the daemon kept its state
 * @param state what that said while the domain ran, or was paused by others
 * @param files what else the daemon made for it and removes when it ends, folders first
 * @param lastWords what lets the guest go on, one line; empty if it was not stopped for this
 * @param until what the answer to the last of them contains
 */
record DomainImage(
    String name,
    String uuid,
    String uri,
    int pid,
    String statePath,
    String state,
    List<KeptFile> files,
    String lastWords,
    String until) {
  /** The same with what lets the guest go on, which was stopped meanwhile. */
  DomainImage with(PassageChannel.LastWords words) {
    return new DomainImage(
        name, uuid, uri, pid, statePath, state, files, words.line(), words.until());
  }

  static DomainImage of(Recorded recorded) {
    return RecordJson.fromTree(
        recorded.state(), DomainImage.class, "the record of " + recorded.fd());
  }
}
