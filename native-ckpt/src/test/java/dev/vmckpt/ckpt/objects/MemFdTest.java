// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemFdTest {
  private final ContractKit kit;

  MemFdTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private int memFd(String name, int flags) {
    return kit.own(ContractKit.call(Nr.MEMFD_CREATE, NativeBuffer.ofText(name).address(), flags));
  }

  @Test
  void comesBackWithItsContentsHolesAndSeals() throws IOException {
    int fd = memFd("guest ram", 2);
    ContractKit.call(Nr.FTRUNCATE, fd, 64 << 20);
    NativeBuffer text = NativeBuffer.ofText("somewhere in the middle");
    ContractKit.call(Nr.PWRITE64, fd, text.address(), text.size(), 10_000_000);
    FileCalls.tryFcntl(fd, FileCalls.F_ADD_SEALS, 2 | 4);
    ContractKit.Snapshot saved = kit.roundTrip(fd);
    DescriptorImage.MemFd image = ContractKit.only(saved, DescriptorImage.MemFd.class);
    assertThat(image.name()).isEqualTo("guest ram");
    assertThat(image.bytes()).isEqualTo(64 << 20);
    assertThat(image.seals()).isEqualTo(6);
    NativeBuffer back = new NativeBuffer(text.size());
    ContractKit.call(Nr.PREAD64, fd, back.address(), back.size(), 10_000_000);
    assertThat(back.copy(0, back.size())).isEqualTo(text.copy(0, text.size()));
    assertThat(Sys.tryCall(Nr.FTRUNCATE, fd, 0, 0)).isEqualTo(-1);
    Path pages = saved.folder().resolve(image.pagesFile());
    assertThat((Long) Files.size(pages)).isEqualTo(64 << 20);
    assertThat(Files.getPosixFilePermissions(pages)).hasSize(2);
  }

  @Test
  void oneThatCannotBeSealedStaysSo() {
    int fd = memFd("plain", 0);
    kit.write(fd, "text");
    DescriptorImage.MemFd image = ContractKit.only(kit.roundTrip(fd), DescriptorImage.MemFd.class);
    assertThat(image.seals()).isEqualTo(1);
    ContractKit.call(Nr.LSEEK, fd, 0, 0);
    assertThat(kit.read(fd)).isEqualTo("text");
  }

  @Test
  void lookingDoesNotMoveItsOffset() {
    int fd = memFd("offset", 0);
    kit.write(fd, "0123456789");
    ContractKit.call(Nr.LSEEK, fd, 4, 0);
    kit.capture(fd);
    assertThat(kit.read(fd)).isEqualTo("456789");
  }

  @Test
  void openedTwiceItIsStillOne() {
    int fd = memFd("twice", 0);
    int again = kit.open("/proc/self/fd/" + fd, 0);
    ContractKit.Snapshot saved = kit.roundTrip(fd, again);
    assertThat(saved.files()).hasSize(2);
    kit.write(fd, "shared");
    assertThat(kit.read(again)).isEqualTo("shared");
  }
}
