// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import dev.vmckpt.spi.error.ExitCode;
import dev.vmckpt.spi.error.VmckptException;

/** A text of /proc that is not of the form proc(5) describes: a kernel we do not know, or a bug. */
public final class ProcFormatException extends VmckptException {
  ProcFormatException(String message) {
    super(ExitCode.FAILED, message, null);
  }
}
