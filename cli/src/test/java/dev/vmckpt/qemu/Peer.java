// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program at the other end of a connection, spoken with by its standard input and output. */
final class Peer implements AutoCloseable {
  private final Process process;
  private final Path said;
  private int heard;

  /** Starts it. */
  Peer(Path folder, List<String> command) throws IOException {
    said = Files.createTempFile(folder, "peer", ".said");
    process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
  }

  Peer(Path folder, String... command) throws IOException {
    this(folder, List.of(command));
  }

  /** A storage daemon that serves a raw disk at a socket, to one vhost-user client. */
  static Peer servingDisk(Path folder, Path disk, Path socket) throws IOException {
    Peer daemon =
        new Peer(
            folder,
            "qemu-storage-daemon",
            "--blockdev",
            "driver=file,filename=" + disk + ",node-name=disk",
            "--export",
            "vhost-user-blk,id=export,node-name=disk,writable=on,addr.type=unix,addr.path="
                + socket);
    daemon.awaitSocket(socket);
    return daemon;
  }

  /** A swtpm with an empty state, which listens at a path. */
  static Peer swtpm(Path folder, Path socket, String... options) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                "swtpm",
                "socket",
                "--tpmstate",
                "dir=" + Files.createTempDirectory(folder, "state"),
                "--ctrl",
                "type=unixio,path=" + socket));
    command.addAll(List.of(options));
    Peer swtpm = new Peer(folder, command);
    swtpm.awaitSocket(socket);
    return swtpm;
  }

  /** Waits until the file of its socket is there. */
  void awaitSocket(Path socket) {
    Health.await(
        "a socket at " + socket,
        () -> {
          if (!alive()) {
            throw new AssertionError("the peer ended: " + all());
          }
          return Files.exists(socket);
        });
  }

  int pid() {
    return (int) process.pid();
  }

  boolean alive() {
    return process.isAlive();
  }

  void say(String text) throws IOException {
    process.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    process.getOutputStream().flush();
  }

  /** Waits for a word behind the one that was heard last. */
  String hear(String word) {
    StringBuilder found = new StringBuilder();
    Health.await(
        word + " from " + process.info().commandLine().orElse("a peer that ended"),
        () -> {
          String all = all();
          int at = all.indexOf(word, heard);
          if (at >= 0) {
            found.append(all, heard, at + word.length());
            heard = at + word.length();
            return true;
          }
          if (!process.isAlive()) {
            throw new AssertionError("ended without " + word + ": " + all);
          }
          return false;
        });
    return found.toString();
  }

  /** All it has said. */
  String all() throws IOException {
    return new String(Files.readAllBytes(said), StandardCharsets.ISO_8859_1);
  }

  /** Waits until it ends by itself. */
  void awaitEnd() {
    Health.await("the end of a peer", () -> !process.isAlive());
  }

  @Override
  public void close() {
    process.destroyForcibly();
    awaitEnd();
  }
}
