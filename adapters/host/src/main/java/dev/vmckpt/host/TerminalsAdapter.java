// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Carries terminals and serial lines. The one a target had belongs to a session that goes on
 * without it: it comes back as /dev/null, or as what the user names. Its settings (termios) are not
 * kept.
 */
public final class TerminalsAdapter implements Adapter {
  /** The key of {@code --reattach} that means all terminals. */
  static final String ALL = "terminal";

  private static final String NOWHERE = "/dev/null";
  private static final int NEW_FILE_MODE = 0600;
  private static final int TTY_MAJOR = 4;
  private static final int TTY_AUX_MAJOR = 5;
  private static final int PTMX_MINOR = 2;
  private static final int FIRST_PTS_MAJOR = 136;
  private static final int LAST_PTS_MAJOR = 143;

  @Override
  public String name() {
    return "terminals";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "terminal", "as /dev/null; `--reattach fd:N=PATH`, `--reattach terminal=PATH`", true));
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    FileStat stat = resource.stat();
    if (!stat.isCharDevice()) {
      return Optional.empty();
    }
    boolean master = stat.major() == TTY_AUX_MAJOR && stat.minor() == PTMX_MINOR;
    boolean terminal =
        stat.major() == TTY_MAJOR
            || (stat.major() == TTY_AUX_MAJOR && !master)
            || (stat.major() >= FIRST_PTS_MAJOR && stat.major() <= LAST_PTS_MAJOR);
    return terminal
        ? Optional.of(
            Claim.changed(
                "terminal; comes back as /dev/null, or as --reattach "
                    + resource.name()
                    + "=PATH or terminal=PATH says"))
        : Optional.empty();
  }

  @Override
  public List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    return List.of();
  }

  @Override
  public Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    return new Resting(claimed);
  }

  @Override
  public Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new Opening(context);
  }

  /** Terminals in a husk. */
  private record Opening(ReattachContext context) implements Reattachment {
    @Override
    public Reattached reattach(Recorded recorded) {
      Terminal terminal =
          RecordJson.fromTree(recorded.state(), Terminal.class, "the record of " + recorded.fd());
      HuskOpener husk = new HuskOpener(context, recorded.fd());
      String path = tryElsewhere(recorded.fd(), context);
      if (path == null) {
        path = NOWHERE;
        husk.note(terminal.path(), "was a terminal, comes back as /dev/null");
      }
      int flags = OpenFlags.again(terminal.flags());
      Path file = Path.of(path);
      if (!Files.exists(file) || Files.isRegularFile(file)) {
        flags |= OpenFlags.CREAT | OpenFlags.APPEND;
      }
      RemoteFd fd = husk.open(path, flags, NEW_FILE_MODE);
      husk.seekEnd(fd);
      return new Reattached(fd);
    }
  }

  private static @Nullable String tryElsewhere(RemoteFd fd, ReattachContext context) {
    String own = context.reattach().get(fd.toString());
    return own != null ? own : context.reattach().get(ALL);
  }

  /**
   * What is recorded of a terminal.
   *
   * @param path what it was
   * @param flags how it was open
   */
  record Terminal(String path, int flags) {}

  /** Terminals at rest: nothing had to be done to them. */
  private static final class Resting implements Detachment {
    private final List<DescriptorResource> terminals;

    Resting(List<DescriptorResource> terminals) {
      this.terminals = terminals;
      for (DescriptorResource terminal : terminals) {
        recorded(terminal, terminal.info().flags()); // loads the classes before the pause
      }
    }

    @Override
    public List<Recorded> record(RecordContext context) {
      List<Recorded> all = new ArrayList<>(terminals.size());
      for (DescriptorResource terminal : terminals) {
        all.add(recorded(terminal, context.infoNow(terminal).flags()));
      }
      return all;
    }

    private static Recorded recorded(DescriptorResource terminal, int flagsNow) {
      int flags = OpenFlags.recorded(flagsNow);
      return new Recorded(
          terminal.fd(),
          flags,
          "terminal " + terminal.link(),
          RecordJson.toTree(new Terminal(terminal.link(), flags)),
          0);
    }

    @Override
    public void resume() {
      // Nothing was brought to rest.
    }
  }
}
