// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What lets a guest go on after our death: libvirt holds its monitor, so it is virsh that says it.
 *
 * @param virsh the program
 * @param uri of the daemon
 * @param uuid of the domain
 * @param environment what virsh is to find: the variables that tell where a session's daemon is
 */
record LastWork(Path virsh, String uri, String uuid, Map<String, String> environment) {
  private static final String USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

  /** The work, if there is a virsh. */
  static Optional<LastWork> find(String uri, String uuid, Map<String, String> environment) {
    Map<String, String> kept = new TreeMap<>();
    environment.forEach(
        (name, value) -> {
          if (name.equals("HOME") || name.startsWith("XDG_") || name.startsWith("LIBVIRT_")) {
            kept.put(name, value);
          }
        });
    String path = environment.getOrDefault("PATH", USUAL_PATH);
    for (String folder : path.split(":", -1)) {
      Path virsh = Path.of(folder.isEmpty() ? "." : folder, "virsh").toAbsolutePath();
      if (Files.isExecutable(virsh)) {
        return Optional.of(new LastWork(virsh, uri, uuid, kept));
      }
    }
    return Optional.empty();
  }

  /**
   * The work as a script.
   *
   * @param commands of QMP, in this order
   * @param again after how many seconds each to say them once more
   */
  String script(List<String> commands, List<Integer> again) {
    StringBuilder script = new StringBuilder("say() { n=0; until env");
    environment.forEach((name, value) -> script.append(' ').append(quoted(name + "=" + value)));
    script
        .append(' ')
        .append(quoted(virsh.toString()))
        .append(" -q -c ")
        .append(quoted(uri))
        .append(" qemu-monitor-command --domain ")
        .append(quoted(uuid))
        // A daemon that is busy, or is being restarted, is asked again for half a minute.
        .append(" \"$1\" || [ $n -ge 30 ]; do n=$((n+1)); sleep 1; done; };")
        // What we had asked for last may be on its way yet.
        .append(" for w in 0.3");
    again.forEach(seconds -> script.append(' ').append(seconds));
    script.append("; do sleep $w;");
    for (String command : commands) {
      script.append(" say ").append(quoted(command)).append(';');
    }
    return script.append(" done").toString();
  }

  private static String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'";
  }
}
