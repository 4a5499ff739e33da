// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/** An adapter's part in one restore; lives from <em>reattach</em> to <em>restarted</em>. */
public interface Reattachment {
  /**
   * Makes one recorded resource again. Called in the order of their numbers.
   *
   * @return the descriptor it was made at; the caller moves it to the numbers it is wanted at
   */
  Reattached reattach(Recorded recorded);

  /**
   * Sets what refers to several resources or to memory: all descriptors stand at their numbers, all
   * areas are mapped and filled, no thread runs yet. By default nothing is set: each resource
   * stands for itself.
   */
  default void complete() {}

  /** Tells the outside that the restored process runs. By default there is nobody to be told. */
  default void restarted(RestartedContext context) {}
}
