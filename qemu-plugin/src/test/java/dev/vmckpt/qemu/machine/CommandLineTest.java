// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.machine.MachineImage.BlockFile;
import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.OptionValue;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Command lines are taken apart and put together for another QEMU. */
final class CommandLineTest {
  private static MachineImage image(List<String> commandLine) {
    return new MachineImage(
        "7.2.22",
        "/usr/bin/qemu-system-x86_64",
        commandLine,
        "/vm",
        "pc-i440fx-7.2",
        "tcg",
        true,
        1,
        new CpuImage("qemu64-x86_64-cpu", "AuthenticAMD", 13, 13, 40, Map.of(), List.of()),
        List.of(),
        List.of(new BlockFile("a.img", "file", false)),
        List.of(),
        List.of(),
        null,
        List.of(),
        1);
  }

  private static NewCommandLine.Result rewrite(MachineRequest request, String... options) {
    List<String> all = new ArrayList<>(List.of("qemu-system-x86_64"));
    all.addAll(List.of(options));
    return NewCommandLine.of(image(all), request);
  }

  private static MachineRequest plain() {
    return MachineRequest.in(Path.of("/run/x"))
        .withFiles(Map.of("/vm/a.img", Path.of("/work/a,1.img")));
  }

  private static String text(NewCommandLine.Result result) {
    return String.join(" ", CommandLine.toArguments(result.options()));
  }

  private static String rewritten(String... options) {
    NewCommandLine.Result result = rewrite(plain(), options);
    assertThat(result.refusals()).isEmpty();
    return text(result);
  }

  private static final String PINNED = "-machine type=pc-i440fx-7.2 -accel tcg";

  @Test
  void theVersionOfTheMachineIsPinned() {
    assertThat(rewritten("-M", "pc,usb=off,accel=kvm:tcg")).isEqualTo("-machine usb=off " + PINNED);
    assertThat(rewritten("-machine", "type=q35", "--enable-kvm")).isEqualTo(PINNED);
  }

  @Test
  void whatBelongsToTheStartIsLeftOut() {
    assertThat(
            rewritten(
                "-S", "-daemonize", "-pidfile", "p", "-incoming", "tcp:0:1", "-loadvm", "x", "-s"))
        .isEqualTo(PINNED);
  }

  @Test
  void disksAreThoseThatWereGiven() {
    assertThat(rewritten("a.img")).isEqualTo("-hda /work/a,1.img " + PINNED);
    assertThat(rewritten("-drive", "file=a.img,if=virtio,format=raw"))
        .isEqualTo("-drive file=/work/a,,1.img,if=virtio,format=raw " + PINNED);
    assertThat(rewritten("-blockdev", "driver=raw,file.driver=file,file.filename=/vm/a.img"))
        .contains("file.filename=/work/a,,1.img");
    assertThat(
            rewritten(
                "-blockdev",
                "{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/vm/a.img\"}}"))
        .contains("\"filename\":\"/work/a,1.img\"");
    assertThat(rewritten("-drive", "file=b.img")).contains("file=b.img");
  }

  @Test
  void linesThatAreFilesGoOnAtTheirEnd() {
    assertThat(rewritten("-serial", "file:s,1"))
        .isEqualTo(
            "-chardev file,id=vmckpt-line0,path=s,,1,append=on -serial chardev:vmckpt-line0 "
                + PINNED);
    assertThat(rewritten("-chardev", "file,path=l,id=c")).contains("file,path=l,id=c,append=on");
    assertThat(rewrite(plain(), "-serial", "stdio").notes()).hasSize(1);
    assertThat(rewrite(plain(), "-nographic").notes()).hasSize(1);
  }

  @Test
  void anOptionThatIsAValueIsNone() {
    assertThat(rewritten("-append", "-S -snapshot fd=3")).startsWith("-append -S -snapshot fd=3 ");
  }

  @Test
  void whatCannotBeMadeAgainIsNamed() {
    for (String[] options :
        List.of(
            new String[] {"-snapshot"},
            new String[] {"-drive", "file=a.img,snapshot=on"},
            new String[] {"-netdev", "tap,id=n,fd=5"},
            new String[] {"-add-fd", "fd=3,set=1"},
            new String[] {"-readconfig", "f"},
            new String[] {"-what-is-this", "f"},
            new String[] {"-m"})) {
      assertThat(rewrite(plain(), options).refusals()).as(options[0]).hasSize(1);
    }
    assertThat(rewrite(plain().on("tcg", "host,-x")).refusals()).hasSize(1);
  }

  private static MachineRequest backEnds(
      Map<String, String> networks, Map<String, String> chardevs) {
    return new MachineRequest(
        null, null, null, Map.of(), networks, chardevs, Set.of(), Path.of("/run/x"));
  }

  @Test
  void backEndsAreReplacedByTheirId() {
    MachineRequest request = backEnds(Map.of("n", "user"), Map.of("c", "null"));
    assertThat(text(rewrite(request, "-netdev", "tap,id=n,ifname=t0", "-chardev", "pty,id=c")))
        .isEqualTo("-netdev user,id=n -chardev null,id=c " + PINNED);
  }

  @Test
  void nobodyIsWaitedFor() {
    String listens = "socket,id=c,path=/no/c,server=on";
    assertThat(rewritten("-chardev", listens)).startsWith("-chardev " + listens + ",wait=off ");
    assertThat(rewritten("-chardev", "socket,id=c,path=/no/c,server=off"))
        .startsWith("-chardev socket,id=c,path=/no/c,server=off ");
    for (String option : List.of("-serial", "-monitor")) {
      assertThat(rewritten(option, "unix:/no/s,server")).contains("unix:/no/s,server,wait=off ");
      assertThat(rewritten(option, "tcp:h:1,server=on,wait=on"))
          .contains("tcp:h:1,server=on,wait=off ");
      assertThat(rewritten(option, "unix:/no/s")).contains("unix:/no/s " + PINNED);
    }
  }

  @Test
  void backEndsThatAreWrittenAsJsonAreReplacedToo() {
    MachineRequest request = backEnds(Map.of("n", "tap"), Map.of());
    NewCommandLine.Result result = rewrite(request, "-netdev", "{\"type\":\"user\",\"id\":\"n\"}");
    assertThat(result.refusals()).isEmpty();
    assertThat(result.otherUserNetworks()).isTrue();
    assertThat(text(result)).isEqualTo("-netdev tap,id=n " + PINNED);
  }

  @Test
  void aValueIsWrittenAsItWasRead() {
    for (String text : List.of("a", "a=b", "a=b,,c,d", "file=x=y,on", "a=,b")) {
      assertThat(OptionValue.parse(text, false).toString()).isEqualTo(text);
    }
  }

  /** Whatever stands in the argument vector, there is a result. */
  @Test
  void anyVectorHasAResult() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    String[] words = {
      "-M",
      "-machine",
      "pc",
      "accel=kvm",
      "-drive",
      "file=a.img",
      ",,",
      "=",
      "",
      "-",
      "--",
      "-S",
      "-cpu",
      "host",
      "-blockdev",
      "{",
      "{}",
      "{\"filename\":3}",
      "[1]",
      "-serial",
      "file:",
      "stdio",
      "-chardev",
      "file",
      "id=c",
      "socket,path=\u0001,server",
      "-qmp",
      "unix:",
      "-nographic",
      "-hda",
      "-netdev",
      "id=n",
      "-append",
      "-snapshot",
      "-device",
      "\ud83d\ude00",
      "-xyz",
      "fd=1"
    };
    for (int round = 0; round < 20_000; round++) {
      List<String> vector = new ArrayList<>();
      for (int i = random.nextInt(8); i >= 0; i--) {
        StringBuilder word = new StringBuilder(words[random.nextInt(words.length)]);
        while (random.nextInt(3) == 0) {
          word.append(random.nextBoolean() ? "," : "").append(words[random.nextInt(words.length)]);
        }
        vector.add(word.toString());
      }
      NewCommandLine.Result result = NewCommandLine.of(image(vector), plain());
      assertThat(result.options())
          .as("%s", vector)
          .extracting(CommandLine.Option::name)
          .doesNotContain("S", "daemonize", "snapshot".repeat(result.refusals().isEmpty() ? 1 : 2));
    }
  }
}
