// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.proc.StartTime;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SetupFileTest {
  private static final int FUZZ_ROUNDS = 20_000;
  private final int pid = (int) ProcessHandle.current().pid();
  private final List<Path> written = new ArrayList<>();
  @TempDir Path folder;

  @AfterEach
  void removeFiles() throws IOException {
    for (Path file : written) {
      Files.deleteIfExists(file);
    }
  }

  private Path write(SetupImage image) {
    Path file = SetupFile.write(pid, image);
    written.add(file);
    return file;
  }

  static SetupImage sample() {
    return new SetupImage(
        true,
        List.of(
            new SetupImage.Machine(
                9,
                0,
                List.of(0, 1),
                List.of(
                    new SettingsImage.Call(
                        "vm",
                        "KVM_SET_TSS_ADDR",
                        0xae47,
                        new byte[] {0, 1, 2, 3, 4, 5, 6, 7},
                        true),
                    new SettingsImage.Call(
                        "vcpu:1", "KVM_X86_SETUP_MCE", 0x4008ae9cL, new byte[8], false),
                    new SettingsImage.Call(
                        "vm", "KVM_X86_SET_MSR_FILTER", 0x4188aec6L, new byte[392], false)),
                List.of(
                    new SlotImage(
                        1,
                        0,
                        2,
                        0x1000,
                        0x2000,
                        new RemoteAddress(0x7f00_0000_0000L),
                        Finding.Source.RECORDED)),
                List.of(new IrqFdImage(5, 6, -1, Finding.Source.RECORDED)),
                List.of(new IoEventFdImage(7, 0xc000, 2, 3, 1, Finding.Source.RECORDED)))));
  }

  @Test
  void whatIsWrittenIsFoundAgainAndReplaced() throws IOException {
    Path file = write(sample());
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    assertThat(RecordJson.write(SetupFile.find(pid).orElseThrow()))
        .isEqualTo(RecordJson.write(sample()));
    write(new SetupImage(false, List.of()));
    assertThat(SetupFile.find(pid).orElseThrow().settled()).isFalse();
  }

  @Test
  void aPidThatWasUsedAgainFindsNothing() throws IOException {
    Path file = write(sample());
    Path other = file.resolveSibling(pid + "-1.json");
    Files.move(file, other);
    written.add(other);
    assertThat(SetupFile.find(pid)).isEmpty();
    // Nor does a file whose name says what its content does not.
    String json = Files.readString(other);
    Files.writeString(file, json.replaceFirst("\"startTime\":\\d+", "\"startTime\":1"));
    assertThat(SetupFile.find(pid)).isEmpty();
    Files.writeString(file, json.replaceFirst("\"boot\":\"[^\"]*\"", "\"boot\":\"x\""));
    assertThat(SetupFile.find(pid)).isEmpty();
    Files.writeString(file, json);
    assertThat(SetupFile.find(pid)).isPresent();
  }

  @Test
  void filesOfDeadProcessesAreRemovedAndNothingElse() throws IOException {
    Path ours = write(sample());
    Path dead = Files.writeString(ours.resolveSibling("999999999-5.json"), "x");
    Path draft = Files.writeString(ours.resolveSibling(pid + "-5.json.999999999"), "x");
    Path foreign = Files.writeString(ours.resolveSibling("notes-" + pid + ".txt"), "x");
    written.add(foreign);
    write(sample());
    assertThat(dead).doesNotExist();
    assertThat(draft).doesNotExist();
    assertThat(foreign).exists();
    assertThat(ours).exists();
  }

  @Test
  void aFileThatOthersCouldHaveWrittenIsPassedOver() throws IOException {
    Path file = write(sample());
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw--w----"));
    assertThat(SetupFile.find(pid)).isEmpty();
  }

  @Test
  void aFolderThatIsOpenToOthersIsRefused() throws IOException {
    assertThat(SetupFolder.own(folder.toString())).isEqualTo(folder.resolve("vmckpt"));
    Files.setPosixFilePermissions(
        folder.resolve("vmckpt"), PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThatThrownBy(() -> SetupFolder.own(folder.toString()))
        .isInstanceOf(NotPermittedException.class)
        .hasMessageContaining("closed to others");
    assertThat(SetupFolder.readable(pid, folder.toString()))
        .doesNotContain(folder.resolve("vmckpt"));
    Files.delete(folder.resolve("vmckpt"));
    Files.createSymbolicLink(folder.resolve("vmckpt"), Files.createDirectory(folder.resolve("x")));
    assertThatThrownBy(() -> SetupFolder.own(folder.toString()))
        .isInstanceOf(NotPermittedException.class);
  }

  @Test
  void noProcessNoFile() {
    assertThat(SetupFile.find(999_999_999)).isEmpty();
    assertThatThrownBy(() -> SetupFile.write(999_999_999, sample()))
        .isInstanceOf(TargetGoneException.class);
  }

  @Test
  void anotherFormatIsSaidToBeOne() {
    byte[] json = "{\"format\":2,\"new\":[1]}".getBytes(StandardCharsets.UTF_8);
    assertThatThrownBy(() -> SetupFile.parse(json, "f"))
        .isInstanceOfSatisfying(
            SnapshotException.class,
            e -> assertThat(e.fault()).isEqualTo(SnapshotException.Fault.TOO_NEW));
  }

  @Test
  void callsThatNobodyCanHaveRecordedAreRefused() {
    String json = new String(content(), StandardCharsets.UTF_8);
    for (String[] change :
        new String[][] {
          {"\"vcpu:1\"", "\"vcpu:x\""},
          {"KVM_SET_TSS_ADDR", "KVM_SET_BOOT_CPU_ID"},
          {"44615", "44616"},
          {"AAECAwQFBgc=", "AAECAwQ="},
          {"\"plain\":true", "\"plain\":false"},
          {"\"vcpus\":[0,1]", "\"vcpus\":[0,0]"},
          {"\"bytes\":8192", "\"bytes\":0"},
        }) {
      String changed = json.replace(change[0], change[1]);
      assertThat(changed).as(change[0]).isNotEqualTo(json);
      assertThatThrownBy(() -> SetupFile.parse(changed.getBytes(StandardCharsets.UTF_8), "f"))
          .as(change[0])
          .isInstanceOf(SnapshotException.class)
          .hasMessageStartingWith("f");
    }
  }

  private byte[] content() {
    return RecordJson.write(new SetupFile.Content(1, "b", pid, 5, sample()));
  }

  @Test
  void whateverTheBytesAreThereIsASentence() {
    long seed = System.nanoTime();
    System.out.println("SetupFileTest seed " + seed);
    Random random = new Random(seed);
    byte[] right = content();
    int refused = 0;
    for (int i = 0; i < FUZZ_ROUNDS; i++) {
      byte[] wrong = right.clone();
      for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
        wrong[random.nextInt(wrong.length)] = (byte) random.nextInt(256);
      }
      if (random.nextInt(4) == 0) {
        wrong = java.util.Arrays.copyOf(wrong, random.nextInt(wrong.length));
      }
      try {
        SetupFile.parse(wrong, "f");
      } catch (SnapshotException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(FUZZ_ROUNDS / 10);
  }

  @Test
  void theStartTimeIsFoundBehindAnyName() {
    String fields = " S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 13";
    assertThat(StartTime.parse("7 (sh)" + fields)).hasValue(4711);
    assertThat(StartTime.parse("7 (a ) b) S 9)" + fields)).hasValue(4711);
    assertThat(StartTime.parse("7 (sh) S 1")).isEmpty();
    assertThat(StartTime.parse("7 (sh)" + fields.replace('S', 'Z'))).isEmpty();
    assertThat(StartTime.parse("")).isEmpty();
  }
}
