// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.util.Locale;

/** The tables people read. Ratios are to vmckpt's row. */
final class Report {
  private static final String BASE = "vmckpt";

  /** How the methods begin whose guest runs under KVM. */
  private static final String KVM = "kvm: ";


  private final Samples samples;
  private final StringBuilder text = new StringBuilder();

  Report(Samples samples) {
    this.samples = samples;
  }

  @Override
  public String toString() {
    text.setLength(0);
    saving();
    restoring();
    still();
    sizes();
    targets();
    line("");
    line(
        "Other processes took %s %% of one CPU right before each measurement.",
        cell(Neighbours.ROW, Neighbours.QUANTITY));
    samples.reasons().forEach((method, reason) -> line("note: %s: %s", method, reason));
    return text.toString();
  }

  private void line(String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
  }

  private String cell(String method, String quantity) {
    double median = samples.median(method, quantity);
    if (Double.isNaN(median)) {
      return "-";
    }
    return String.format(
        Locale.ROOT,
        "%s (%s-%s)",
        plain(median),
        plain(samples.least(method, quantity)),
        plain(samples.most(method, quantity)));
  }

  private static String plain(double value) {
    return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
  }

  private String ratio(String method, String base, String quantity) {
    double ratio = samples.median(method, quantity) / samples.median(base, quantity);
    return Double.isNaN(ratio)
        ? "-"
        : String.format(Locale.ROOT, ratio < 10 ? "%.2f" : "%.0f", ratio);
  }

  /** What a method is compared with: vmckpt with the same guest. */
  private static String base(String method) {
    return method.contains(KVM) ? KVM + BASE : BASE;
  }

  private void saving() {
    line("Saving: milliseconds, median (least-most); x is the ratio to vmckpt");
    String row = "%-30s %22s %6s %22s %24s %6s %6s";
    line(row, "", "pause", "x", "longest silence", "durable after", "x", "MiB");
    for (String method : samples.all().keySet()) {
      if (Double.isNaN(samples.median(method, "silenceMillis"))) {
        continue;
      }
      double mib = samples.median(method, "bytes") / (1 << 20);
      line(
          row,
          method,
          cell(method, "pauseMillis"),
          ratio(method, base(method), "pauseMillis"),
          cell(method, "silenceMillis"),
          cell(method, "durableMillis"),
          ratio(method, base(method), "durableMillis"),
          Double.isNaN(mib) ? "-" : Math.round(mib));
    }
    for (String method : samples.all().keySet()) {
      if (method.startsWith("write+fsync")) {
        double mib = samples.median(method, "bytes") / (1 << 20);
        line(
            row,
            method,
            "",
            "",
            "",
            cell(method, "durableMillis"),
            ratio(method, base(method), "durableMillis"),
            Math.round(mib));
      }
    }
    line("");
  }

  private void restoring() {
    line("Restoring: milliseconds from the command to the guest's first word");
    String row = "%-30s %22s %6s %22s %22s %22s";
    line(row, "", "first word", "x", "command in the JVM", "of it building", "silence in 1.5 s after");
    for (String method : samples.all().keySet()) {
      if (!Double.isNaN(samples.median(method, "lifeMillis"))) {
        line(
            row,
            method,
            cell(method, "lifeMillis"),
            ratio(method, base(method) + " restore lazy", "lifeMillis"),
            cell(method, "insideMillis"),
            cell(method, "engineMillis"),
            cell(method, "hiccupMillis"));
      }
    }
    line("");
  }

  private void still() {
    line("How long the guest stands still, from QEMU's STOP to its RESUME; a disk that QEMU keeps");
    line("meanwhile on a file system that shares no blocks makes it no longer:");
    for (String method : samples.all().keySet()) {
      if (!Double.isNaN(samples.median(method, "stillMillis"))) {
        line("  %-30s %22s", method, cell(method, "stillMillis"));
      }
    }
    line("");
  }

  private void sizes() {
    String small = "vmckpt 256 MiB";
    String large = "vmckpt 1 GiB";
    if (Double.isNaN(samples.median(small, "pauseMillis"))
        || Double.isNaN(samples.median(large, "pauseMillis"))) {
      return;
    }
    line("Four times the memory (1 GiB filled against 256 MiB):");
    line("  pause                    %s x", ratio(large, small, "pauseMillis"));
    line("  durable                  %s x", ratio(large, small, "durableMillis"));
    line(
        "  lazy restore             %s x",
        ratio(large + " restore lazy", small + " restore lazy", "lifeMillis"));
    line(
        "  lazy restore, in the JVM %s x",
        ratio(large + " restore lazy", small + " restore lazy", "insideMillis"));
    line("");
  }

  private void targets() {
    line("What vmckpt wants to hold, and what this run says:");
    target("pause, 1 GiB guest with 512 MiB filled, ms", 10, samples.median(BASE, "pauseMillis"));
    target(
        "pause, 1 GiB KVM guest, all of it filled, ms",
        15,
        samples.median(KVM + BASE, "pauseMillis"));
    target(
        "restore, building the process, ms",
        60,
        samples.median(BASE + " restore lazy", "engineMillis"));
    target(
        "restore, shell to first word, ms",
        200,
        samples.median(BASE + " restore lazy", "lifeMillis"));
    target(
        "durable, x of write+fsync",
        1.2,
        samples.median(BASE, "durableMillis")
            / samples.median("write+fsync as " + BASE, "durableMillis"));
  }

  private void target(String what, double most, double value) {
    if (!Double.isNaN(value)) {
      line(
          "  %-46s at most %6.1f   %8.1f   %s",
          what, most, value, value <= most ? "held" : "missed");
    }
  }
}
