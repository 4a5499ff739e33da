// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher, in a tree of its own whose path has blanks and a quote in it. Maven is played by a
 * script that puts the classes of this very build in place; everything else is the real thing.
 */
class LauncherTest {
  private static final List<String> OURS =
      List.of(
          "vmckpt-",
          "jackson-",
          "jna-",
          "picocli-",
          "slf4j-",
          "jspecify-",
          "progressbar-",
          "jline-");

  /** What an ended run said. */
  private record Run(int code, String out, String err) {}

  @TempDir Path temporary = Path.of("/nonexistent");
  private Path tree = Path.of("/nonexistent");

  @BeforeEach
  void plant() throws IOException {
    tree = Files.createDirectory(temporary.resolve("it's a tree"));
    Path jars = Files.createDirectory(temporary.resolve("jars"));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path path = Path.of(entry);
      String name = String.valueOf(path.getFileName());
      if (Files.isDirectory(path) && name.equals("classes")) {
        String module = String.valueOf(path.resolve("../..").normalize().getFileName());
        pack(path, jars.resolve("vmckpt-" + module + ".jar"));
      } else if (Files.isRegularFile(path) && OURS.stream().anyMatch(name::startsWith)) {
        Files.copy(path, jars.resolve(name));
        if (name.startsWith("jna-")) {
          unpackLibrary(path);
        }
      }
    }
    Path root = Path.of(System.getProperty("vmckpt.root", ".."));
    Files.copy(root.resolve("vmckpt"), tree.resolve("vmckpt"));
    executable(tree.resolve("vmckpt"));
    Files.createDirectories(tree.resolve("cli/src/main"));
    Files.writeString(tree.resolve("cli/src/main/Source.java"), "");
    Files.writeString(tree.resolve("pom.xml"), "");
    Files.createDirectory(tree.resolve("test-images"));
    Files.writeString(tree.resolve("test-images/setup.sh"), "");
    Path bin = Files.createDirectory(temporary.resolve("bin"));
    Files.writeString(
        bin.resolve("mvn"),
        """
        #!/bin/sh
        echo built >>../builds
        [ ! -e ../broken ] || { echo '[ERROR] it does not compile'; exit 1; }
        rm -rf cli/target/lib cli/target/jna
        cp -r ../jars cli/target/lib
        cp -r ../jna cli/target/jna
        touch cli/target/built
        """);
    executable(bin.resolve("mvn"));
  }

  private static void executable(Path file) throws IOException {
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private void unpackLibrary(Path jna) throws IOException {
    String name = "com/sun/jna/linux-x86-64/libjnidispatch.so";
    try (JarFile jar = new JarFile(jna.toFile());
        InputStream library = jar.getInputStream(jar.getEntry(name))) {
      Path file = temporary.resolve("jna").resolve(name);
      Files.createDirectories(file.resolve("..").normalize());
      Files.copy(library, file);
    }
  }

  private static void pack(Path classes, Path jar) throws IOException {
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file);
        Stream<Path> all = Files.walk(classes)) {
      for (Path each : all.filter(Files::isRegularFile).toList()) {
        out.putNextEntry(new JarEntry(classes.relativize(each).toString()));
        Files.copy(each, out);
      }
    }
  }

  private ProcessBuilder command(Map<String, String> environment, Path where, String... command) {
    ProcessBuilder builder = new ProcessBuilder(command).directory(where.toFile());
    builder.environment().remove("VMCKPT_JAVA_OPTS");
    builder.environment().put("PATH", temporary.resolve("bin") + ":" + System.getenv("PATH"));
    builder.environment().put("VMCKPT_STORE", temporary.resolve("store").toString());
    builder.environment().put("VMCKPT_JAVA", System.getProperty("java.home"));
    builder.environment().putAll(environment);
    return builder;
  }

  private Run run(Map<String, String> environment, Path where, String... command)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(temporary, "out", "");
    Path err = Files.createTempFile(temporary, "err", "");
    Process process =
        command(environment, where, command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    if (!process.waitFor(3, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("still running: " + List.of(command));
    }
    return new Run(process.exitValue(), text(out), text(err));
  }

  /** What is no UTF-8 is shown as such. */
  private static String text(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
  }

  private Run run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(tree.resolve("vmckpt").toString()));
    command.addAll(Arrays.asList(arguments));
    return run(Map.of(), temporary, command.toArray(new String[0]));
  }

  private int builds() throws IOException {
    Path log = temporary.resolve("builds");
    return Files.exists(log) ? Files.readAllLines(log).size() : 0;
  }

  @Test
  void itBuildsOnceAndThenRunsFromAnywhere() throws Exception {
    Run first = run("--version");
    assertThat(first.out()).startsWith("vmckpt ").contains("Java ");
    assertThat(first.err()).contains("building", "preparing fast starts");
    assertThat(first.code()).isZero();

    Run second = run("--version");
    assertThat(second).isEqualTo(new Run(0, first.out(), ""));

    Path bin = temporary.resolve("bin");
    Files.createSymbolicLink(bin.resolve("vmckpt"), tree.resolve("vmckpt"));
    Files.createSymbolicLink(bin.resolve("again"), Path.of("vmckpt"));
    for (Run run :
        List.of(
            run(Map.of(), bin, "sh", "-c", "vmckpt --version"),
            run(Map.of(), bin, "./again", "--version"),
            run(Map.of(), tree, "./vmckpt", "--version"),
            run(Map.of(), tree.resolve("cli"), "../vmckpt", "--version"),
            run(Map.of("LC_ALL", "C"), Path.of("/"), bin + "/again", "--version"))) {
      assertThat(run).isEqualTo(second);
    }
    assertThat(builds()).isEqualTo(1);

    argumentsAndExitCodesPassUnchanged();
    anArchiveIsNeverNeeded(second);
    whatChangedIsBuiltAgain();
  }

  private void argumentsAndExitCodesPassUnchanged() throws Exception {
    Run odd = run("show", "a  b'c\"d*\\ $HOME \u00fc");
    assertThat(odd.code()).isEqualTo(5);
    assertThat(odd.err()).contains("no snapshot a  b'c\"d*\\ $HOME \u00fc in");
    assertThat(run("show", "").err()).contains("no snapshot  in");
    assertThat(run("inspect", "0").code()).isEqualTo(4);
    assertThat(run("nonsense").code()).isEqualTo(2);
  }

  private void anArchiveIsNeverNeeded(Run good) throws Exception {
    Path archive;
    try (Stream<Path> files = Files.list(tree.resolve("cli/target/start"))) {
      archive = files.filter(file -> file.toString().endsWith(".archive")).findAny().orElseThrow();
    }
    byte[] whole = Files.readAllBytes(archive);
    byte[] damaged = whole.clone();
    Arrays.fill(damaged, 0, 4096, (byte) 'x');
    for (byte[] content :
        List.of(new byte[0], Arrays.copyOf(whole, whole.length / 2), damaged, new byte[100])) {
      Files.delete(archive);
      Files.write(archive, content);
      sameResult(run("--version"), good);
    }
    Files.delete(archive);
    sameResult(run("--version"), good);
    assertThat(run("--version")).isEqualTo(good);
  }

  /** It may have been prepared again on the way, and said so. */
  private static void sameResult(Run run, Run good) {
    assertThat(run.code()).as(run.err()).isEqualTo(good.code());
    assertThat(run.out()).isEqualTo(good.out());
  }

  private void whatChangedIsBuiltAgain() throws Exception {
    Path source = tree.resolve("cli/src/main/Source.java");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(1)));
    Files.writeString(temporary.resolve("broken"), "");
    Run broken = run("--version");
    assertThat(broken.code()).isEqualTo(1);
    assertThat(broken.err()).contains("it does not compile", "the build failed");
    assertThat(broken.out()).isEmpty();

    Files.delete(temporary.resolve("broken"));
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().minusSeconds(5)));
    assertThat(run("--version").code()).isZero();
    assertThat(builds()).isEqualTo(3);
  }

  @Test
  void severalFirstUsesAtOnceBuildOnce() throws Exception {
    List<Process> processes = new ArrayList<>();
    try {
      for (int i = 0; i < 4; i++) {
        processes.add(
            command(Map.of(), temporary, tree.resolve("vmckpt").toString(), "list")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start());
      }
      for (Process process : processes) {
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        assertThat(out).startsWith("There are no snapshots");
      }
    } finally {
      processes.forEach(Process::destroyForcibly);
    }
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void theJavaThatIsFoundAndOneThatIsNot() throws Exception {
    String launcher = tree.resolve("vmckpt").toString();
    Run any = run(Map.of("VMCKPT_JAVA", ""), temporary, launcher, "list", "--json");
    assertThat(any.code()).as(any.err()).isZero();
    assertThat(any.out()).startsWith("{").endsWith("}\n");

    Run none = run(Map.of("VMCKPT_JAVA", "/no/java"), temporary, launcher, "list");
    assertThat(none.code()).isEqualTo(2);
    assertThat(none.err()).contains("VMCKPT_JAVA is /no/java");
  }

  @Test
  void aTreeThatMovedStillRuns() throws Exception {
    assertThat(run("--version").code()).isZero();
    Path moved = Files.move(tree, temporary.resolve("moved"));
    Files.writeString(
        moved.resolve("pom.xml"), "", StandardOpenOption.WRITE, StandardOpenOption.APPEND);
    tree = moved;
    Run run = run("--version");
    assertThat(run.code()).isZero();
    assertThat(run.out()).startsWith("vmckpt ");
    assertThat(run("--version").err()).isEmpty();
  }

  @Test
  void aCommandThatIsRunInheritsWhatTheCallerGave() throws Exception {
    assertThat(run("--version").code()).isZero();
    String look =
        "env | grep -av '^_=' | sort; grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -Sn;"
            + " head -c 4 <&5; { true <&6; } 2>/dev/null || echo no 6; printf '%s|' \"$@\"";
    String caller =
        "trap '' PIPE USR2; exec 5</etc/passwd; ulimit -Sn 300; X=$(printf '\\303\\377'); export X; "
            + "\"$@\" sh -c '"
            + look.replace("'", "'\\''")
            + "' sh a \"$X\" '' @b --json";
    for (String locale : List.of("export LC_ALL=POSIX; ", "unset LC_ALL; ")) {
      Run direct = run(Map.of(), temporary, "sh", "-c", locale + caller, "sh", "env");
      String launcher = tree.resolve("vmckpt").toString();
      Run recorded =
          run(Map.of(), temporary, "sh", "-c", locale + caller, "sh", launcher, "run", "--");
      assertThat(recorded.err()).isEmpty();
      assertThat(recorded.out()).isEqualTo(direct.out()).contains("300", "root", "no 6", "@b");
      assertThat(recorded.code()).isZero();
    }
  }
}
