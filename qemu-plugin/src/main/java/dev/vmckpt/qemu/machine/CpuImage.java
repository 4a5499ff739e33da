// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * A processor as its guest sees it: what CPUID answers, which QEMU does not check when it loads a
 * state.
 *
 * @param type the class of the processor, for example {@code qemu64-x86_64-cpu}
 * @param vendor the twelve letters of CPUID leaf 0
 * @param level the highest basic leaf
 * @param extendedLevel the highest extended leaf
 * @param physicalBits the width of physical addresses
 * @param words the bits of each word of features, by {@code leaf.subleaf.register}
 * @param features the names of everything that is switched on; more than features are among them
 */
public record CpuImage(
    String type,
    String vendor,
    long level,
    long extendedLevel,
    int physicalBits,
    Map<String, Long> words,
    List<String> features) {
  /** The leaf that tells what KVM offers to guests that know of it; TCG has none of it. */
  private static final String PARAVIRTUAL = "40000001";

  /**
   * Several threads in a package: shown wherever the machine has them, which stays as it is. QEMU
   * counts it among the features of a processor from 10.0 on.
   */
  private static final String THREADS = "ht";

  private static final String THREADS_WORD = "00000001.0.edx";
  private static final long THREADS_BIT = 1L << 28;

  /** Switches that are on or off without the guest seeing any of it by CPUID. */
  private static final Set<String> NO_FEATURES =
      Set.of(
          "realized",
          "hotplugged",
          "hotpluggable",
          "check",
          "enforce",
          "migratable",
          "kvm",
          "fill-mtrr-mask",
          "host-cache-info",
          "l3-cache",
          "start-powered-off",
          "cpuid-0xb",
          "full-cpuid-auto-level",
          "expose-kvm",
          "expose-tcg",
          "tcg-cpuid",
          "host-phys-bits",
          "lmce",
          "pni",
          "pmu",
          "xd",
          "i64",
          "pclmuldq",
          "sse4_1",
          "sse4_2",
          "sse4-1",
          "sse4-2",
          "kvm-no-smi-migration",
          "kvm-pv-enforce-cpuid",
          "legacy-cache",
          "vmware-cpuid-freq",
          "unimp",
          "prefer-smi",
          "x-hv-synic-kvm-only",
          "x-intel-pt-auto-level",
          "x-migrate-smi-count",
          "x-vendor-cpuid-only",
          "legacy-multi-node",
          "xen-vapic");

  /**
   * Asks for the first processor of a machine.
   *
   * @param path of that processor in QEMU's object tree
   */
  static CpuImage of(Qmp qmp, String path) {
    Map<String, Long> words = new TreeMap<>();
    for (JsonNode word : get(qmp, path, "feature-words")) {
      String key =
          String.format(
              Locale.ROOT,
              "%08x.%d.%s",
              word.path("cpuid-input-eax").asLong(),
              word.path("cpuid-input-ecx").asLong(),
              word.path("cpuid-register").asText().toLowerCase(Locale.ROOT));
      words.put(key, word.path("features").asLong());
    }
    return new CpuImage(
        get(qmp, path, "type").asText(),
        get(qmp, path, "vendor").asText(),
        get(qmp, path, "level").asLong(),
        get(qmp, path, "xlevel").asLong(),
        get(qmp, path, "phys-bits").asInt(),
        words,
        switchedOn(qmp, path));
  }

  private static JsonNode get(Qmp qmp, String path, String property) {
    return qmp.execute("qom-get", a -> a.put("path", path).put("property", property));
  }

  /** Some three hundred questions, sent one behind the other: milliseconds, not in the pause. */
  private static List<String> switchedOn(Qmp qmp, String path) {
    Map<String, Pending<JsonNode>> asked = new LinkedHashMap<>();
    for (JsonNode property : qmp.execute("qom-list", a -> a.put("path", path))) {
      String name = property.path("name").asText();
      if (property.path("type").asText().equals("bool")) {
        asked.put(name, qmp.submit("qom-get", a -> a.put("path", path).put("property", name)));
      }
    }
    Set<String> on = new TreeSet<>();
    for (Map.Entry<String, Pending<JsonNode>> answer : asked.entrySet()) {
      try {
        if (answer.getValue().get().asBoolean() && !NO_FEATURES.contains(answer.getKey())) {
          // Old names with an underscore mean the same as those with a hyphen.
          on.add(answer.getKey().replace('_', '-'));
        }
      } catch (QmpErrorException e) {
        // A property that can only be set tells nothing of the processor.
      }
    }
    return List.copyOf(on);
  }

  /**
   * What a guest that has seen this processor would miss on another one.
   *
   * @param accepted names of features that the guest is said not to use; {@code kvm} stands for all
   *     that KVM offers to guests that know of it, {@code vendor} for its name
   * @return one text for each difference; empty if the guest can go on there
   */
  public List<String> missingOn(CpuImage other, Set<String> accepted) {
    List<String> missing = new ArrayList<>();
    if (!vendor.equals(other.vendor) && !accepted.contains("vendor")) {
      missing.add("vendor " + vendor + " (it has " + other.vendor + ")");
    }
    if (level > other.level || extendedLevel > other.extendedLevel) {
      missing.add(
          String.format(
              Locale.ROOT,
              "CPUID leaves up to %x and %x (it has %x and %x)",
              level,
              extendedLevel,
              other.level,
              other.extendedLevel));
    }
    if (physicalBits > other.physicalBits) {
      missing.add("physical addresses of " + physicalBits + " bits");
    }
    Set<String> names = new TreeSet<>(features);
    names.removeAll(other.features);
    names.remove(THREADS);
    if (accepted.contains("kvm")) {
      names.removeIf(name -> name.startsWith("kvm"));
    }
    boolean named = !names.isEmpty();
    names.removeAll(accepted);
    missing.addAll(names);
    for (Map.Entry<String, Long> word : words.entrySet()) {
      long bits = word.getValue() & ~other.words.getOrDefault(word.getKey(), 0L);
      if (word.getKey().equals(THREADS_WORD)) {
        bits &= ~THREADS_BIT;
      }
      if (bits != 0 && !named && !(accepted.contains("kvm") && isParavirtual(word.getKey()))) {
        missing.add(String.format(Locale.ROOT, "bits %x of CPUID %s", bits, word.getKey()));
      }
    }
    return missing;
  }

  private static boolean isParavirtual(String word) {
    return word.startsWith(PARAVIRTUAL);
  }
}
