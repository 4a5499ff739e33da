// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.FileIdentity;
import org.jspecify.annotations.Nullable;

/**
 * What is to become of one area.
 *
 * @param area the area as smaps describes it
 * @param content which of its pages go into the image
 * @param source where the others come from at a restore
 * @param file the mapped file, where the source is a file
 * @param descriptor the number of the mapped descriptor; for {@link Source#SHARED_MEMORY} the
 *     number of the memory; else -1
 * @param summary what it is and how it comes back, for people
 * @param refusal why it cannot be carried, or null
 * @param remedy what can be done about that, or null
 * @param adapter who carries its contents, or null for the checkpointer
 */
record AreaPlan(
    ProcArea area,
    Content content,
    Source source,
    @Nullable FileIdentity file,
    int descriptor,
    String summary,
    @Nullable String refusal,
    @Nullable String remedy,
    @Nullable String adapter) {

  /** Which pages of an area go into the image. */
  enum Content {
    /** The kernel's own ([vdso], [vvar]): made by the kernel again. */
    KERNEL,
    /** Those that are the process' own. */
    OWN,
    /** Those, and what the image it had been restored from holds. */
    OWN_AND_IMAGE,
    /** All that the file holds, for it will not be there: a deleted or replaced file. */
    WHOLE_FILE,
    /** All that is there, copied inside the pause: a fork shares it instead of splitting it. */
    SHARED,
    /** None. */
    NOTHING
  }

  static AreaPlan carried(
      ProcArea area, Content content, Source source, @Nullable FileIdentity file, String summary) {
    return new AreaPlan(area, content, source, file, -1, summary, null, null, null);
  }

  static AreaPlan refused(ProcArea area, String summary, String why, String remedy) {
    return new AreaPlan(
        area, Content.NOTHING, Source.ANONYMOUS, null, -1, summary, why, remedy, null);
  }

  /** A mapping of a descriptor that an adapter carries, with its contents. */
  static AreaPlan claimed(ProcArea area, AddressSpacePlan.AreaOwner owner) {
    return new AreaPlan(
        area,
        Content.NOTHING,
        Source.DESCRIPTOR,
        null,
        owner.claim().descriptor().number(),
        owner.claim().summary(),
        owner.claim().refusal(),
        owner.claim().remedy(),
        owner.adapter());
  }

  /** The same area as one of several that show the same memory. */
  AreaPlan joined(int number) {
    return new AreaPlan(
        area, content, Source.SHARED_MEMORY, file, number, summary, refusal, remedy, adapter);
  }

  String name() {
    return "area:" + Long.toHexString(area.start()) + "-" + Long.toHexString(area.end());
  }

  boolean has(String vmFlag) {
    return area.vmFlags().contains(vmFlag);
  }
}
