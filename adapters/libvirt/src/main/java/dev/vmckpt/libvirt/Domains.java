// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.UsageException;
import org.libvirt.Domain;
import org.libvirt.LibvirtException;

/** Finds the QEMUs of libvirt's domains. */
public final class Domains {
  private Domains() {}

  /**
   * The process of a running domain.
   *
   * @param word {@code NAME}, {@code UUID}, or one of them behind {@code URI#}
   * @throws TargetGoneException if there is no such domain, it does not run, or no daemon answers
   * @throws FailureException if libvirt's library is not installed
   * @throws UsageException if the word names no domain of a QEMU on this host
   */
  public static int pid(String word) {
    DomainName wanted = DomainName.parse(word);
    try (Libvirt libvirt = Libvirt.connect(wanted.uri())) {
      return running(libvirt, wanted.name()).pid();
    }
  }

  /** What libvirt keeps of a running domain. */
  static StateFile running(Libvirt libvirt, String name) {
    Domain domain = libvirt.domain(name);
    if (!Libvirt.isActive(domain)) {
      throw new TargetGoneException(
          "domain "
              + name
              + " is not running; start it: virsh -c "
              + libvirt.uri()
              + " start "
              + name);
    }
    try {
      return StateFile.find(libvirt.uri(), domain.getName(), domain.getUUIDString());
    } catch (LibvirtException e) {
      throw new FailureException(
          "libvirt does not tell what domain " + name + " is: " + Libvirt.words(e), e);
    }
  }
}
