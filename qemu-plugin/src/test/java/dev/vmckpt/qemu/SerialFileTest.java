// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.options.CommandLine;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SerialFileTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "qemu -serial file:/a/log | /a/log",
        "qemu -serial file:log | /here/log",
        "qemu --serial chardev:c -chardev file,id=c,path=log | /here/log",
        "qemu -chardev file,path=log,id=c -device isa-serial,chardev=c | /here/log",
        "qemu -chardev socket,id=c,path=s,logfile=l -device virtconsole,chardev=c | /here/l",
        "qemu -chardev file,id=c,path=log -device ide-hd,drive=c |",
        "qemu -chardev file,id=c,path=log -serial stdio |",
        "qemu -serial mon:stdio |",
        "qemu -serial |",
      })
  void isFound(String commandLine, String path) {
    assertThat(SerialFile.of(CommandLine.parse(List.of(commandLine.split(" "))), Path.of("/here")))
        .isEqualTo(java.util.Optional.ofNullable(path).map(Path::of));
  }
}
