// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.host.FileState.DiskFile;
import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.host.FileState.State;
import dev.vmckpt.spi.json.RecordJson;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FileKindsTest {
  @Test
  void hasOneKindForEachRecord() {
    List<String> types = new ArrayList<>();
    for (FileKind<?> kind : FilesAdapter.kinds()) {
      types.add(kind.stateType().getName());
    }
    List<String> records = new ArrayList<>();
    for (Class<?> record : FileState.class.getPermittedSubclasses()) {
      records.add(record.getName());
    }
    assertThat(types).containsExactlyInAnyOrderElementsOf(records);
  }

  @Test
  void readsItsOwnRecords() {
    State state =
        new State(
            new DiskFile(
                "/srv/disk",
                "disks/0-disk",
                0644,
                1000,
                1001,
                new OpenState(
                    02,
                    4096,
                    List.of(new FileLock(FileLock.Owner.FLOCK, true, 0, 0, 9)),
                    List.of())));
    assertThat(RecordJson.fromTree(RecordJson.toTree(state), State.class, "test")).isEqualTo(state);
  }

  @Test
  void namesCopiesAfterTheirFiles() {
    assertThat(DiskCopy.baseName("/srv/disk.img")).isEqualTo("disk.img");
    assertThat(DiskCopy.baseName("/tmp/vl.X1 (deleted)")).isEqualTo("vl.X1");
    assertThat(DiskCopy.baseName("/work/12-disk.img")).isEqualTo("disk.img");
    assertThat(DiskCopy.baseName("/srv/2026-07.img")).isEqualTo("2026-07.img");
    assertThat(DiskCopy.baseName("/srv/7-")).isEqualTo("7-");
    assertThat(DiskCopy.baseName("/")).isEqualTo("file");
  }

  @Test
  void opensWithoutMakingOrEmptying() {
    int tmpfile = 020200000;
    assertThat(OpenFlags.again(02 | 0100 | 0200 | 01000 | 02000 | 02000000))
        .isEqualTo(02 | 02000 | OpenFlags.NOCTTY);
    assertThat(OpenFlags.again(tmpfile | 02)).isEqualTo(02 | OpenFlags.NOCTTY);
    assertThat(OpenFlags.again(OpenFlags.DIRECTORY))
        .isEqualTo(OpenFlags.DIRECTORY | OpenFlags.NOCTTY);
  }

  @Test
  void splitsDeviceNumbersLikeTheKernel() {
    assertThat(FileId.split(0xfe00)).isEqualTo(254L << 32);
    assertThat(FileId.split(0x0000_1234_5670_8901L)).isEqualTo(split(0x0000_1234_5670_8901L));
  }

  /** gnu_dev_major and gnu_dev_minor, as glibc writes them. */
  private static long split(long dev) {
    long major = ((dev & 0x00000000000fff00L) >> 8) | ((dev & 0xfffff00000000000L) >> 32);
    long minor = (dev & 0x00000000000000ffL) | ((dev & 0x00000ffffff00000L) >> 12);
    return major << 32 | minor;
  }

  @Test
  void saysSizesForPeople() {
    assertThat(ByteText.of(0)).isEqualTo("0 bytes");
    assertThat(ByteText.of(1023)).isEqualTo("1023 bytes");
    assertThat(ByteText.of(4097)).isEqualTo("5 KiB");
    assertThat(ByteText.of(64L << 20)).isEqualTo("64 MiB");
    assertThat(ByteText.of(20L << 40)).isEqualTo("20 TiB");
  }
}
