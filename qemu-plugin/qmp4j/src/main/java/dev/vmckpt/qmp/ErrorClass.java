// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

/**
 * The classes of errors of QEMU's qapi/error.json. All but {@link #GENERIC_ERROR} are there for
 * clients to act on; QEMU makes no new ones.
 */
public enum ErrorClass {
  /** What has no class of its own, which is nearly everything. */
  GENERIC_ERROR("GenericError"),
  /** The server does not know the command, or not in this mode. */
  COMMAND_NOT_FOUND("CommandNotFound"),
  /** A device is there but not active. */
  DEVICE_NOT_ACTIVE("DeviceNotActive"),
  /** There is no such device. */
  DEVICE_NOT_FOUND("DeviceNotFound"),
  /** KVM on this host lacks a capability. */
  KVM_MISSING_CAP("KVMMissingCap"),
  /** A class not named here; {@link QmpErrorException#errorClassText()} has its name. */
  OTHER("");

  private static final ErrorClass[] ALL = values();

  private final String text;

  ErrorClass(String text) {
    this.text = text;
  }

  /** As the server writes it; empty for {@link #OTHER}. */
  public String text() {
    return text;
  }

  static ErrorClass of(String text) {
    for (ErrorClass each : ALL) {
      if (each != OTHER && each.text.equals(text)) {
        return each;
      }
    }
    return OTHER;
  }
}
