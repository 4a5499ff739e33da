// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.error.UsageException;

/**
 * What a user calls a domain: {@code NAME}, or {@code URI#NAME} for that of another daemon than
 * libvirt's usual one.
 *
 * @param uri empty for libvirt's own choice: LIBVIRT_DEFAULT_URI, its configuration, the system's
 * @param name the domain's name or UUID
 */
record DomainName(String uri, String name) {
  /**
   * Reads it.
   *
   * @throws UsageException if there is no name in it
   */
  static DomainName parse(String word) {
    // A name may hold anything but a slash; only behind a URI does a # mean something.
    int end = word.contains(":/") ? word.lastIndexOf('#') : -1;
    DomainName parsed =
        new DomainName(end < 0 ? "" : word.substring(0, end), word.substring(end + 1));
    if (parsed.name.isEmpty() || parsed.name.contains(":/")) {
      throw new UsageException(
          "libvirt:" + word + " names no domain; write libvirt:NAME or libvirt:URI#NAME");
    }
    return parsed;
  }
}
