// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.RestartedContext;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.error.VmckptException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * Gives a restored domain back to libvirt: its state is put where the daemon looks when it starts,
 * and the daemon is started anew. It then calls the monitor again, as it does after every update.
 */
final class Adoption {
  private static final String KEY = "libvirt";
  private static final String ADOPT = "adopt";
  private static final long PATIENCE_NANOS = 60_000_000_000L;
  private static final long POLL_NANOS = 100_000_000L;

  private final DomainImage image;
  private final RestartedContext context;

  Adoption(DomainImage image, RestartedContext context) {
    this.image = image;
    this.context = context;
  }

  /**
   * Whether the user wants it.
   *
   * @throws UsageException if something else is wanted of libvirt
   */
  static boolean isWished(Map<String, String> reattach) {
    String wish = reattach.get(KEY);
    if (wish != null && !wish.equals(ADOPT)) {
      throw new UsageException("--reattach libvirt=" + wish + " is none: there is libvirt=adopt");
    }
    return wish != null;
  }

  /** What stands in the way of a restore; waits until libvirt has seen the end of the process. */
  static List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    List<Refusal> refusals = new ArrayList<>();
    boolean adopt = isWished(context.reattach());
    if (recorded.isEmpty()) {
      if (adopt) {
        refusals.add(
            new Refusal(
                "libvirt",
                "the snapshot is none of a domain, so libvirt cannot know it",
                "take it with 'vmckpt snapshot libvirt:NAME', or leave out --reattach libvirt=adopt"));
      }
      return refusals;
    }
    DomainImage image = DomainImage.of(recorded.get(0));
    for (KeptFile file : image.files()) {
      Path above = Path.of(file.path()).getParent();
      if (file.isFolder() && above != null && !Files.isDirectory(above)) {
        refusals.add(
            new Refusal(
                "libvirt",
                "its folder " + above + " is not there, where domain " + image.name() + " listened",
                "start its daemon once, or make the folder"));
      }
    }
    refuse(image, adopt, refusals);
    return refusals;
  }

  private static void refuse(DomainImage image, boolean adopt, List<Refusal> refusals) {
    try (Libvirt libvirt = Libvirt.connect(image.uri())) {
      // Else it would take the restored process for the one that ended, and end that.
      long deadline = System.nanoTime() + PATIENCE_NANOS;
      while (libvirt.runs(image.uuid()) && !lives(image) && System.nanoTime() < deadline) {
        LockSupport.parkNanos(POLL_NANOS);
      }
      if (libvirt.runs(image.uuid()) && (adopt || !lives(image))) {
        refusals.add(
            new Refusal(
                "libvirt",
                "domain " + image.name() + " runs there already",
                "end it: virsh -c " + image.uri() + " destroy " + image.name()));
      }
    } catch (VmckptException e) {
      if (adopt) {
        refusals.add(
            new Refusal(
                "libvirt",
                "domain " + image.name() + " cannot be given back: " + e.getMessage(),
                "start the daemon, or leave out --reattach libvirt=adopt"));
      }
    }
  }

  /** Whether its process is there. */
  private static boolean lives(DomainImage image) {
    return Files.exists(Path.of("/proc/" + image.pid()));
  }

  /** Tells libvirt of the restored process, or the user that libvirt does not know it. */
  void run(boolean wished) {
    try {
      if (!wished) {
        outside("", "");
      } else if (context.pid() != image.pid()) {
        outside(
            ": its threads have other numbers than libvirt knows, as process number "
                + image.pid()
                + " was taken",
            " when that number is free");
      } else {
        putBack();
        adopt();
      }
    } catch (IOException e) {
      outside(": what it keeps of the domain cannot be put back (" + e.getMessage() + ")", "");
    }
  }

  private void outside(String why, String when) {
    context.note(
        "domain "
            + image.name()
            + " runs outside libvirt now, which takes it for shut off"
            + why
            + "; to give it back, end process "
            + context.pid()
            + " and restore it with --reattach libvirt=adopt"
            + when);
  }

  private void putBack() throws IOException {
    Path state = Path.of(image.statePath());
    StateFile file = StateFile.parse(state, StateFile.restored(image.state()));
    // Its folder is the daemon's, and so are the files in it.
    Owner daemon = Owner.of(state.resolveSibling("").normalize());
    write(daemon, file.pidFile(), image.pid() + "\n");
    write(daemon, state, file.text());
  }

  /** The file that QEMU has open under this name may be another by now. */
  private static void write(Owner owner, Path path, String text) throws IOException {
    owner.run(
        "rm -f \"$1\" && cat >\"$1\"", text.getBytes(StandardCharsets.UTF_8), path.toString());
  }

  private void adopt() {
    String why = Daemon.restart(Path.of(image.statePath()).resolveSibling("driver.pid"));
    if (!why.isEmpty()) {
      context.note(
          "domain "
              + image.name()
              + " runs outside libvirt until its daemon is restarted, which takes it then: "
              + why);
      return;
    }
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    String last = "it does not say that it runs";
    while (System.nanoTime() < deadline) {
      try (Libvirt libvirt = Libvirt.connect(image.uri())) {
        if (libvirt.runs(image.uuid())) {
          context.note("domain " + image.name() + " is libvirt's again; its daemon was restarted");
          return;
        }
      } catch (VmckptException e) {
        last = e.getMessage() + "";
      }
      if (!lives(image)) {
        last = "it has ended the process; its log says why";
        break;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    context.note("libvirt did not take domain " + image.name() + ": " + last);
  }
}
