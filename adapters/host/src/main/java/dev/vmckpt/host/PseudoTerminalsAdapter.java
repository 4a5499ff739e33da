// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Carries masters of pseudo-terminals: the end of a {@code -serial pty} that the target holds
 * itself. It comes back with a pseudo-terminal of its own, set as the old one was; which number
 * that one gets is the kernel's choice. Who had the other end open sees a hang-up, and opens the
 * new one.
 */
public final class PseudoTerminalsAdapter extends DeviceAdapter {
  private static final String FOLDER = "/dev/pts/";
  private static final String MASTER = "/dev/ptmx";
  private static final int TTY_AUX_MAJOR = 5;
  private static final int PTMX_MINOR = 2;

  // linux/tty_ioctl.h; the settings asked for at a master are those of its terminal.
  private static final int TCGETS2 = 0x802c542a;
  private static final int TCSETS2 = 0x402c542b;
  private static final int TERMIOS2_BYTES = 44;
  private static final int TIOCGWINSZ = 0x5413;
  private static final int TIOCSWINSZ = 0x5414;
  private static final int WINSIZE_BYTES = 8;
  private static final int FIONREAD = 0x541b;
  private static final int TIOCPKT = 0x5420;
  private static final int TIOCGPTPEER = 0x5441;
  private static final int TIOCGPTN = 0x80045430;
  private static final int TIOCSPTLCK = 0x40045431;
  private static final int TIOCGPKT = 0x80045438;
  private static final int TIOCGPTLCK = 0x80045439;
  private static final int O_RDWR = 2;

  /**
   * What is recorded of one.
   *
   * @param number of its terminal in /dev/pts
   * @param flags how the master was open
   * @param settings struct termios2
   * @param window struct winsize
   * @param packets whether it is in packet mode
   * @param locked whether its terminal could not be opened yet
   * @param unread how many bytes had been written into the terminal that the target had not read
   * @param user who owns the terminal
   * @param group its group
   * @param mode its permissions
   */
  record PseudoTerminal(
      int number,
      int flags,
      byte[] settings,
      byte[] window,
      boolean packets,
      boolean locked,
      int unread,
      int user,
      int group,
      int mode) {}

  @Override
  public String name() {
    return "pseudo-terminals";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "master of a pseudo-terminal",
            "with a new pseudo-terminal, set as the old one, whose path is told; `--reattach fd:N=PATH`",
            true));
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    FileStat stat = resource.stat();
    if (!stat.isCharDevice() || stat.major() != TTY_AUX_MAJOR || stat.minor() != PTMX_MINOR) {
      return Optional.empty();
    }
    String number = resource.info().value("tty-index");
    return Optional.of(
        Claim.changed(
            "master of "
                + (number == null ? "a pseudo-terminal" : FOLDER + number)
                + "; comes back as that of a new one"));
  }

  @Override
  void rehearse(DescriptorResource resource) {
    recorded(
        resource, new PseudoTerminal(0, 0, new byte[0], new byte[0], false, false, 0, 0, 0, 0));
    attribute(Path.of("/dev/null"), "unix:uid");
  }

  @Override
  Recorded record(DescriptorResource resource, RecordContext context) {
    RemoteIoctl master = new RemoteIoctl(context.target(), resource.fd(), resource.name());
    int number = master.number("TIOCGPTN", TIOCGPTN);
    Path terminal = Path.of(FOLDER + number);
    return recorded(
        resource,
        new PseudoTerminal(
            number,
            OpenFlags.recorded(context.infoNow(resource).flags()),
            master.exchange("TCGETS2", TCGETS2, new byte[TERMIOS2_BYTES]),
            master.exchange("TIOCGWINSZ", TIOCGWINSZ, new byte[WINSIZE_BYTES]),
            master.number("TIOCGPKT", TIOCGPKT) != 0,
            master.number("TIOCGPTLCK", TIOCGPTLCK) != 0,
            master.number("FIONREAD", FIONREAD),
            attribute(terminal, "unix:uid"),
            attribute(terminal, "unix:gid"),
            attribute(terminal, "unix:mode")));
  }

  private static Recorded recorded(DescriptorResource resource, PseudoTerminal state) {
    return new Recorded(
        resource.fd(),
        state.flags(),
        "master of " + FOLDER + state.number(),
        RecordJson.toTree(state),
        0);
  }

  /** One of the numbers stat(2) tells, -1 when it tells nothing. */
  private static int attribute(Path terminal, String name) {
    try {
      return Files.getAttribute(terminal, name) instanceof Integer number ? number : -1;
    } catch (IOException e) {
      return -1;
    }
  }

  @Override
  RemoteFd reattach(Recorded recorded, List<Recorded> all, ReattachContext context) {
    PseudoTerminal was =
        RecordJson.fromTree(
            recorded.state(), PseudoTerminal.class, "the record of " + recorded.fd());
    HuskOpener husk = new HuskOpener(context, recorded.fd());
    String old = FOLDER + was.number();
    String instead = context.reattach().get(recorded.fd().toString());
    if (instead != null) {
      return husk.open(instead, OpenFlags.again(was.flags()), 0);
    }
    RemoteFd fd = husk.open(MASTER, OpenFlags.again(was.flags()), 0);
    RemoteIoctl master = new RemoteIoctl(context.husk(), fd, recorded.fd() + " " + old);
    master.set("TIOCSPTLCK", TIOCSPTLCK, 0);
    master.exchange("TCSETS2", TCSETS2, was.settings());
    master.exchange("TIOCSWINSZ", TIOCSWINSZ, was.window());
    // Only a terminal that was open once and is not any more is one that hung up; one that nobody
    // ever opened takes what is written into it and keeps it.
    long once = master.call("TIOCGPTPEER", TIOCGPTPEER, O_RDWR | OpenFlags.NOCTTY);
    husk.close(new RemoteFd((int) once));
    if (was.packets()) {
      master.set("TIOCPKT", TIOCPKT, 1);
    }
    String now = FOLDER + master.number("TIOCGPTN", TIOCGPTN);
    give(Path.of(now), was, husk);
    if (was.locked()) {
      master.set("TIOCSPTLCK", TIOCSPTLCK, 1);
    }
    husk.note(old, now.equals(old) ? "is a new pseudo-terminal" : "comes back as " + now);
    if (was.unread() > 0) {
      husk.note(old, was.unread() + " bytes the target had not read are not in the snapshot");
    }
    return fd;
  }

  /** Lets those use the terminal who could use the old one. */
  private static void give(Path terminal, PseudoTerminal was, HuskOpener husk) {
    if (was.mode() < 0) {
      return;
    }
    try {
      Files.setAttribute(terminal, "unix:uid", was.user());
      Files.setAttribute(terminal, "unix:gid", was.group());
      Files.setAttribute(terminal, "unix:mode", was.mode() & 07777);
    } catch (IOException e) {
      husk.note(terminal.toString(), "has other owners or permissions than the old one: " + e);
    }
  }
}
