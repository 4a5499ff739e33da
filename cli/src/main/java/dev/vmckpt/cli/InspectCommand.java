// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Inspection;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.ExitCode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code vmckpt inspect}. */
@Command(
    name = "inspect",
    description =
        "Shows what a process holds, and who carries each piece. Changes nothing; a KVM machine is"
            + " asked from inside, which stops the process for a moment.",
    footer = {
      "",
      "Example:",
      "  vmckpt inspect 4242",
      "  vmckpt inspect libvirt:web",
      "  vmckpt inspect 4242 --drop fd:12 --all"
    })
final class InspectCommand extends AbstractCommand {
  @Parameters(paramLabel = "TARGET", description = Target.DESCRIPTION)
  String target = "";

  @Option(
      names = "--drop",
      paramLabel = "fd:N",
      split = ",",
      description = "Show how it would be with this resource left out.")
  Set<String> drops = new TreeSet<>();

  @Option(
      names = {"-a", "--all"},
      description = "Show every area and thread in a line of its own.")
  boolean all;

  InspectCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    int pid = Target.pid(target);
    Inspection inspection = checkpointer().inspect(pid, Set.copyOf(drops));
    List<Object> resources = new ArrayList<>();
    for (Inspection.Resource resource : inspection.resources()) {
      resources.add(
          new Fields()
              .put("kind", resource.kind())
              .put("name", resource.name())
              .put("what", resource.what())
              .put("owner", resource.owner())
              .put("verdict", resource.verdict())
              .put("summary", resource.summary())
              .put("remedy", resource.remedy())
              .map());
    }
    Fields fields =
        new Fields()
            .put("pid", inspection.pid())
            .put("name", inspection.name())
            .put("savable", inspection.savable())
            .put("resources", resources)
            .put("findings", findings(inspection));
    print(fields, json ? "" : text(inspection));
    return ExitCode.DONE.code();
  }

  private static List<Object> findings(Inspection inspection) {
    List<Object> all = new ArrayList<>();
    inspection
        .findings()
        .forEach(
            (owner, findings) -> {
              for (Finding finding : findings) {
                all.add(
                    new Fields()
                        .put("kind", finding.kind())
                        .put("name", finding.name())
                        .put("what", finding.what())
                        .put("owner", owner)
                        .put("source", finding.source())
                        .map());
              }
            });
    return all;
  }

  private String found(Inspection inspection) {
    if (inspection.findings().isEmpty()) {
      return "";
    }
    Table table = new Table(session.outColors(), "BEHIND", "WHAT", "KNOWN HOW");
    inspection
        .findings()
        .values()
        .forEach(
            findings -> {
              for (Finding finding : findings) {
                table.row(
                    finding.name(),
                    finding.what(),
                    finding.source().name().toLowerCase(Locale.ROOT));
              }
            });
    return "\n" + table;
  }

  private String text(Inspection inspection) {
    Table table =
        new Table(session.outColors(), "RESOURCE", "VERDICT", "OWNER", "WHAT", "HOW IT COMES BACK");
    Map<List<String>, Integer> many = new LinkedHashMap<>();
    List<String> remedies = new ArrayList<>();
    int refused = 0;
    for (Inspection.Resource resource : inspection.resources()) {
      String verdict = resource.verdict().name().toLowerCase(Locale.ROOT);
      boolean small = resource.kind().equals("area") || resource.kind().equals("thread");
      if (!all && small && resource.verdict() == Inspection.Verdict.CARRIED) {
        many.merge(
            List.of(resource.kind(), verdict, resource.owner(), resource.summary()),
            1,
            Integer::sum);
        continue;
      }
      table.add(
          style(resource.verdict()),
          resource.name(),
          verdict,
          resource.owner(),
          resource.what(),
          resource.summary());
      if (resource.verdict() == Inspection.Verdict.REFUSED) {
        refused++;
        if (resource.remedy() != null) {
          remedies.add("  " + resource.name() + ": " + resource.remedy());
        }
      }
    }
    for (Map.Entry<List<String>, Integer> each : many.entrySet()) {
      List<String> key = each.getKey();
      table.row(Humans.count(each.getValue(), key.get(0)), key.get(1), key.get(2), "", key.get(3));
    }
    StringBuilder text = new StringBuilder();
    text.append(inspection.pid()).append("  ").append(Humans.plain(inspection.name())).append('\n');
    text.append(table).append(found(inspection));
    if (refused == 0) {
      text.append("A snapshot can be taken.\n");
    } else {
      text.append("A snapshot is refused because of ").append(Humans.count(refused, "resource"));
      text.append(remedies.isEmpty() ? ".\n" : "; what can be done:\n");
      for (String remedy : remedies) {
        text.append(Humans.plain(remedy)).append('\n');
      }
    }
    return text.toString();
  }

  private static String style(Inspection.Verdict verdict) {
    return switch (verdict) {
      case CARRIED -> "";
      case CHANGED, DROPPED -> "yellow";
      case REFUSED -> "red";
    };
  }
}
