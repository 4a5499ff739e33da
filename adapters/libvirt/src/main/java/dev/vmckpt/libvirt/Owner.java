// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who owns a file. What libvirt made lies in folders of the user of its QEMUs, or of a session; so
 * all that is made there again is made by that user, whom no link of his own can lead elsewhere
 * than where he may write himself.
 *
 * @param user his number
 * @param group his group's number
 */
record Owner(int user, int group) {
  /** The owner of what is there. */
  static Owner of(Path path) throws IOException {
    return new Owner(number(path, "unix:uid"), number(path, "unix:gid"));
  }

  private static int number(Path path, String attribute) throws IOException {
    return (Integer) Files.getAttribute(path, attribute, LinkOption.NOFOLLOW_LINKS);
  }

  /**
   * Runs a script of the shell as this owner.
   *
   * @param content what it can read
   * @param words its arguments
   * @throws IOException if it fails
   */
  void run(String script, byte[] content, String... words) throws IOException {
    List<String> command = new ArrayList<>();
    if (of(Path.of("/proc/self")).user() != user) {
      command.addAll(List.of("setpriv", "--reuid=" + user, "--regid=" + group, "--clear-groups"));
    }
    command.addAll(List.of("/bin/sh", "-c", "umask 077; " + script, "sh"));
    command.addAll(Arrays.asList(words));
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).directory(new File("/")).start();
    @Nullable IOException unread = null;
    try (OutputStream to = process.getOutputStream()) {
      to.write(content);
    } catch (IOException e) {
      // It ended before it had read all, and says why.
      unread = e;
    }
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new IOException(said.strip(), unread);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
