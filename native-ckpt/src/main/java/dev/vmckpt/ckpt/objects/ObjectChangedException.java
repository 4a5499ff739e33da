// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.VmckptException;

/**
 * Between the census and the pause an object became another one, for example a socket was
 * connected: take the census again.
 */
public final class ObjectChangedException extends VmckptException {
  ObjectChangedException(String name, String how) {
    super(ExitCode.FAILED, name + " changed while the snapshot was being planned: " + how, null);
  }
}
