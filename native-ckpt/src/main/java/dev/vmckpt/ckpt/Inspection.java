// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.spi.Finding;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a process holds, and who carries each piece.
 *
 * @param pid the process
 * @param name its command name
 * @param resources everything it holds
 * @param findings what lies behind its descriptors, by the adapter that looked
 */
public record Inspection(
    int pid, String name, List<Resource> resources, Map<String, List<Finding>> findings) {

  /** Whether a snapshot would be taken: nothing is refused. */
  public boolean savable() {
    for (Resource resource : resources) {
      if (resource.verdict() == Verdict.REFUSED) {
        return false;
      }
    }
    return true;
  }

  /** What becomes of a resource. */
  public enum Verdict {
    /** Comes back as it was. */
    CARRIED,
    /** Comes back otherwise; the summary says how. */
    CHANGED,
    /** Left out at the user's wish. */
    DROPPED,
    /** Stands in the way. */
    REFUSED
  }

  /**
   * One resource.
   *
   * @param kind {@code thread}, {@code area}, {@code descriptor}, {@code timer}, {@code child},
   *     {@code process}
   * @param name its name, for example {@code fd:12}
   * @param what what it is, for example {@code socket:[4711]}
   * @param owner who carries it: a kernel object's or an adapter's name, {@code nobody} if refused
   * @param verdict what becomes of it
   * @param summary how it comes back, in a few words
   * @param remedy what the user can do about a refusal, or null
   */
  public record Resource(
      String kind,
      String name,
      String what,
      String owner,
      Verdict verdict,
      String summary,
      @Nullable String remedy) {}
}
