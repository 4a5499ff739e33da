// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

import java.util.List;

/** Resources that nobody carries, all of them, each by name. Thrown before anything is touched. */
public final class RefusedException extends VmckptException {
  private final transient List<Refusal> refusals;

  /**
   * @param what what was refused, for example {@code snapshot of 4242}
   * @param refusals every reason, at least one
   */
  public RefusedException(String what, List<Refusal> refusals) {
    super(ExitCode.REFUSED, message(what, refusals), null);
    this.refusals = List.copyOf(refusals);
  }

  /**
   * Refuses if there is a reason.
   *
   * @param what see the constructor
   * @param refusals every reason, possibly none
   * @throws RefusedException if there is one
   */
  public static void throwIfAny(String what, List<Refusal> refusals) {
    if (!refusals.isEmpty()) {
      throw new RefusedException(what, refusals);
    }
  }

  /** Every reason, at least one. */
  public List<Refusal> refusals() {
    return refusals;
  }

  private static String message(String what, List<Refusal> refusals) {
    StringBuilder text = new StringBuilder(what).append(" is refused:");
    for (Refusal refusal : refusals) {
      text.append("\n  ").append(refusal);
    }
    return text.toString();
  }
}
