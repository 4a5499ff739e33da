// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * Where a process has mapped its vcpus: struct kvm_run, then the page of port I/O data, then the
 * ring of coalesced MMIO.
 *
 * @param byVcpu a mapping of each vcpu from its first page on; a vcpu may have none
 */
record RunMappings(Map<Integer, Mapping> byVcpu) {
  /**
   * One mapping.
   *
   * @param bytes its length
   */
  record Mapping(RemoteAddress start, int bytes) {}

  static RunMappings of(int pid) {
    try {
      return parse(
          Files.readString(Path.of("/proc/" + pid + "/maps"), StandardCharsets.ISO_8859_1));
    } catch (IOException e) {
      throw new TargetGoneException("process " + pid + " is gone", e);
    }
  }

  /**
   * @param maps the text of {@code /proc/PID/maps}
   */
  static RunMappings parse(String maps) {
    Map<Integer, Mapping> found = new HashMap<>();
    for (int at = maps.indexOf("anon_inode:kvm-vcpu:"); at >= 0; ) {
      int begin = maps.lastIndexOf('\n', at) + 1;
      int newline = maps.indexOf('\n', at);
      int end = newline < 0 ? maps.length() : newline;
      Link link = Link.ofText(maps.substring(at, end).strip());
      String[] columns = maps.substring(begin, at).split(" +", -1);
      int dash = columns[0].indexOf('-');
      long start = Long.parseUnsignedLong(columns[0], 0, dash, 16);
      long behind = Long.parseUnsignedLong(columns[0], dash + 1, columns[0].length(), 16);
      if (link != null && Long.parseLong(columns[2], 16) == 0) {
        found.putIfAbsent(
            link.vcpu(), new Mapping(new RemoteAddress(start), (int) (behind - start)));
      }
      at = maps.indexOf("anon_inode:kvm-vcpu:", end);
    }
    return new RunMappings(found);
  }
}
