// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.error.Refusal;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Carries one kind of device connection across a snapshot and a restore. Found by {@link
 * java.util.ServiceLoader}.
 *
 * <p>Six moments, in this order: <em>claim</em> and <em>detach</em> (the target runs),
 * <em>record</em> (it is frozen), <em>resume</em> (it runs again; these two belong to the {@link
 * Detachment}), <em>reattach</em> (in a husk) and <em>restarted</em> (it runs; these two belong to
 * the {@link Reattachment}). On the way in adapters run in their declared order, on the way out in
 * reverse. Whatever was begun is undone, whatever else fails.
 */
public interface Adapter {
  /**
   * Its name: what {@code vmckpt inspect} prints as the owner, and what its records are filed
   * under.
   */
  String name();

  /** What it carries, for the documentation. */
  List<Carries> carries();

  /** The names of the adapters that must run after this one on the way in; by default none. */
  default List<String> before() {
    return List.of();
  }

  /**
   * Whether it runs behind all others on the way in, and before them on the way out: what it brings
   * to rest waits for nobody then.
   */
  default boolean last() {
    return false;
  }

  /**
   * Meets the outside of a target before its resources are listed: a connection that is opened here
   * is among them. The target runs, and nothing of it may be changed that {@link Visit#close} does
   * not undo.
   *
   * @return empty when there is nothing to be opened
   */
  default Optional<Visit> visit(VisitContext context) {
    return Optional.empty();
  }

  /**
   * Whether a visit with these wishes takes resources off the target, so that what is refused
   * before may be none of it afterwards.
   */
  default boolean takesAway(Map<String, String> options) {
    return false;
  }

  /**
   * Says whether it carries a resource; the target runs and must not be touched.
   *
   * @return empty when the resource is none of its own
   */
  Optional<Claim> claim(DescriptorResource resource, ClaimContext context);

  /**
   * Says whether an area of the target's address space is a mapping of one of its descriptors; the
   * target runs and must not be touched. Only areas that are no ordinary memory are asked about.
   *
   * @return empty when the area is none of its own; by default it is never, which suits all whose
   *     descriptors cannot be mapped
   */
  default Optional<AreaClaim> claim(AreaResource area, ClaimContext context) {
    return Optional.empty();
  }

  /**
   * Looks closer at what it claimed, for {@code vmckpt inspect}: the target runs, calls may be made
   * in it by the context's lodger, and nothing may be changed.
   *
   * @return what lies behind the descriptors; empty, as by default, if they are all there is to
   *     tell
   */
  default List<Finding> examine(List<DescriptorResource> claimed, ExamineContext context) {
    return List.of();
  }

  /**
   * Brings the outside to rest; the target runs.
   *
   * @param claimed what it claimed in this target, possibly nothing
   * @return what is to be recorded and undone; {@link Detachment#resume} will be called in any case
   */
  Detachment detach(List<DescriptorResource> claimed, DetachContext context);

  /**
   * Makes something like what it carries in a throwaway process, so that a snapshot of that process
   * runs through the code that stands in a pause before it matters. By default nothing is made:
   * {@link #detach} runs through that code without a device, or nothing is done in a pause but what
   * is done about any process.
   *
   * @param understudy that process; what its lodger opens or maps stays there
   */
  default void rehearse(ExamineContext understudy) {}

  /**
   * Compares what was recorded with what this machine has, before anything is built.
   *
   * @param recorded everything it recorded, possibly nothing
   * @return what stands in the way
   */
  List<Refusal> preflight(List<Recorded> recorded, PreflightContext context);

  /**
   * Begins to make recorded resources again inside a husk.
   *
   * @param recorded everything it recorded, possibly nothing
   */
  Reattachment reattach(List<Recorded> recorded, ReattachContext context);
}
