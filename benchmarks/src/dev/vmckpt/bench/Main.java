// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs all methods, round by round, each round in another order, and tells what came out. */
final class Main {
  private static final Load LINUX = Load.linux(1024, 512);
  private static final Load KVM = Load.kvm(1024);

  private static final List<Method> ALL =
      List.of(
          new Idle(),
          new Vmckpt("vmckpt", LINUX, true),
          new Vmckpt("vmckpt --no-rehearsal", LINUX, false, "--no-rehearsal"),
          new Vmckpt("vmckpt --capture stop", LINUX, false, "--capture", "stop"),
          new SaveVm("savevm", LINUX),
          new Migrate("migrate stopped", LINUX, false),
          new Migrate("migrate live", LINUX, true),
          new BackgroundSnapshot(),
          new Vmckpt("vmckpt 256 MiB", Load.linux(512, 256), true),
          new Vmckpt("vmckpt 1 GiB", Load.linux(1536, 1024), true),
          new Vmckpt("vmckpt disk 64 MiB", Load.rawDisk(64), false),
          new Vmckpt("vmckpt disk 8 GiB", Load.rawDisk(8192), false),
          new Vmckpt("kvm: vmckpt", KVM, true),
          new Vmckpt("kvm: vmckpt --no-rehearsal", KVM, false, "--no-rehearsal"),
          new SaveVm("kvm: savevm", KVM),
          new Migrate("kvm: migrate live", KVM, true));

  private Main() {}

  public static void main(String[] arguments) throws IOException {
    try {
      start(arguments);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
    }
  }

  private static void start(String[] arguments) throws IOException {
    Path root = Path.of(System.getProperty("vmckpt.root"));
    Path target = root.resolve("benchmarks/target");
    Path work = target.resolve("work");
    int rounds = 10;
    int patience = 30;
    List<Method> methods = ALL;
    for (int i = 0; i < arguments.length; i++) {
      String word = arguments[i];
      if (word.equals("--list")) {
        ALL.forEach(method -> System.out.println(method.name()));
        return;
      }
      if (i + 1 == arguments.length) {
        throw usage(word);
      }
      String value = arguments[++i];
      switch (word) {
        case "--rounds" -> rounds = Integer.parseInt(value);
        case "--only" -> methods = named(List.of(value.split(",")));
        case "--patience" -> patience = Integer.parseInt(value);
        case "--dir" -> work = Path.of(value).toAbsolutePath();
        default -> throw usage(word);
      }
    }
    Files.createDirectories(work);
    Path folder = Files.createTempDirectory(work, "run");
    Path memory = Path.of("/dev/shm");
    Path quick = Files.createTempDirectory(Files.isWritable(memory) ? memory : work, "vmckpt");
    Bench bench = new Bench(root, folder, quick, patience);
    try {
      run(bench, target, methods, rounds);
    } finally {
      for (Path each : List.of(folder, quick)) {
        Bench.empty(each);
        Files.delete(each);
      }
    }
  }

  private static IllegalArgumentException usage(String word) {
    return new IllegalArgumentException(word + ": see benchmarks/run --help");
  }

  private static List<Method> named(List<String> names) {
    List<Method> methods = new ArrayList<>();
    for (Method method : ALL) {
      if (names.contains(method.name())) {
        methods.add(method);
      }
    }
    if (methods.size() != names.size()) {
      throw usage(String.join(",", names));
    }
    return methods;
  }

  private static void run(Bench bench, Path target, List<Method> methods, int rounds)
      throws IOException {
    Map<String, Object> machine = Machine.facts(bench);
    machine.put("rounds", (long) rounds);
    machine.put("loadBefore", Machine.load());
    Samples samples = new Samples();
    List<Method> order = new ArrayList<>(methods);
    for (int round = 1; round <= rounds; round++) {
      for (Method method : order) {
        System.err.println("round " + round + " of " + rounds + ": " + method.name());
        try {
          method.round(bench, samples);
        } catch (IllegalStateException | UncheckedIOException e) {
          samples.fault(method.name(), "round " + round + ": " + e.getMessage());
        }
        Bench.empty(bench.work());
      }
      Collections.rotate(order, -1);
      machine.put("loadAfter", Machine.load());
      write(target, machine, samples);
    }
    machine.forEach((name, value) -> System.out.println(name + ": " + value));
    System.out.println();
    System.out.print(new Report(samples));
  }

  /** After every round, so that a run that is cut short is not lost. */
  private static void write(Path target, Map<String, Object> machine, Samples samples)
      throws IOException {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("machine", machine);
    result.put("samples", samples.all());
    result.put("faults", samples.reasons());
    Files.writeString(target.resolve("benchmarks.json"), Json.text(result, true) + "\n");
    Files.writeString(target.resolve("benchmarks.txt"), new Report(samples).toString());
  }
}
