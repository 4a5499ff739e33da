// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;
import java.util.Optional;

/**
 * Carries one kind of device connection across a snapshot and a restore. Found by {@link
 * java.util.ServiceLoader}.
 *
 * <p>Six moments, in this order: <em>claim</em> and <em>detach</em> (the target runs),
 * <em>record</em> (it is frozen), <em>resume</em> (it runs again; these two belong to the {@link
 * Detachment}), <em>reattach</em> (in a husk) and <em>restarted</em> (it runs). On the way in
 * adapters run in their declared order, on the way out in reverse. Whatever was begun is undone,
 * whatever else fails.
 */
public interface Adapter {
  /**
   * Its name: what {@code vmckpt inspect} prints as the owner, and what its records are filed
   * under.
   */
  String name();

  /** What it carries, for the documentation. */
  List<Carries> carries();

  /** The names of the adapters that must run after this one on the way in; usually empty. */
  List<String> before();

  /**
   * Says whether it carries a resource; the target runs and must not be touched.
   *
   * @return empty when the resource is none of its own
   */
  Optional<Claim> claim(DescriptorResource resource, ClaimContext context);

  /**
   * Brings the outside to rest; the target runs.
   *
   * @param claimed what it claimed in this target, possibly nothing
   * @return what is to be recorded and undone; {@link Detachment#resume} will be called in any case
   */
  Detachment detach(List<DescriptorResource> claimed, DetachContext context);

  /**
   * Makes one recorded resource again inside a husk.
   *
   * @return the descriptor it was made at; the caller moves it to the numbers it is wanted at
   */
  Reattached reattach(Recorded recorded, ReattachContext context);

  /** Tells the outside that the restored process runs. */
  void restarted(RestartedContext context);
}
