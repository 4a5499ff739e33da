// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.SocketFile;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.file.Path;

/**
 * Binds a restored socket: to where it was, or to where the user wants it. A place that somebody
 * else has meanwhile is refused by name; the file of a UNIX socket that nobody listens at any more
 * is replaced.
 */
final class SocketPlace {
  static final int EADDRINUSE = Errno.EADDRINUSE;
  private static final int ECONNREFUSED = 111;
  private static final int EADDRNOTAVAIL = 99;
  private static final int CHMOD = 90;
  private static final int FCHMOD = 91;
  private static final int CHOWN = 92;
  private static final int SO_REUSEADDR = 2;
  private static final int MOST_PORT = 65535;

  private SocketPlace() {}

  /**
   * Binds it.
   *
   * @param own a descriptor of ours for the same socket
   * @param address where it was
   */
  static void bind(
      RemoteFd fd,
      OwnFd own,
      byte[] address,
      DescriptorImage.Socket image,
      OpenFileImage file,
      HuskFiles husk) {
    if (image.domain() != SocketCalls.AF_UNIX) {
      bindInet(fd, own, address, image, file, husk);
      return;
    }
    byte[] wanted = wantedUnix(address, file, husk);
    String path = SocketAddress.unixPath(wanted);
    if (path.isEmpty()) {
      bindAbstract(fd, wanted, image, file, husk);
    } else {
      bindFile(fd, path, wanted, image, file, husk);
    }
  }

  /** That somebody else has the place. */
  static RefusedException taken(DescriptorImage.Socket image, OpenFileImage file) {
    byte[] address = image.address();
    boolean unix = image.domain() == SocketCalls.AF_UNIX;
    return HuskFiles.refused(
        file,
        "somebody else is at " + (address == null ? "its place" : SocketAddress.text(address)),
        "end them, or --reattach "
            + HuskFiles.name(file)
            + (unix ? "=/another/path" : "=ANOTHER-PORT"));
  }

  private static void bindInet(
      RemoteFd fd,
      OwnFd own,
      byte[] address,
      DescriptorImage.Socket image,
      OpenFileImage file,
      HuskFiles husk) {
    String instead = husk.reattach(file);
    byte[] wanted =
        instead == null ? address : SocketAddress.withPort(address, port(instead, file));
    // Connections of the saved process may still linger at the port; two listeners are not let in
    // by this.
    int reuse = SocketCalls.intOption(own.number(), SocketCalls.SOL_SOCKET, SO_REUSEADDR, 0);
    boolean stream = Socket.isStream(image);
    if (stream) {
      SocketCalls.trySetOption(own.number(), SocketCalls.SOL_SOCKET, SO_REUSEADDR, 1);
    }
    long result = tryBind(fd, wanted, husk);
    if (stream && reuse == 0) {
      SocketCalls.trySetOption(own.number(), SocketCalls.SOL_SOCKET, SO_REUSEADDR, 0);
    }
    if (result == -EADDRINUSE) {
      throw taken(image, file);
    }
    if (result == -EADDRNOTAVAIL) {
      throw HuskFiles.refused(
          file,
          "this machine has no address for " + SocketAddress.text(wanted),
          "add it to a network device, or take the snapshot with --drop " + HuskFiles.name(file));
    }
    Sys.check("bind", HuskFiles.name(file) + " to " + SocketAddress.text(wanted), result);
  }

  private static int port(String text, OpenFileImage file) {
    try {
      int port = Integer.parseInt(text);
      if (port >= 0 && port <= MOST_PORT) {
        return port;
      }
    } catch (NumberFormatException e) {
      throw new UsageException("--reattach " + HuskFiles.name(file) + "=" + text + ": no port", e);
    }
    throw new UsageException("--reattach " + HuskFiles.name(file) + "=" + text + ": no port");
  }

  private static byte[] wantedUnix(byte[] address, OpenFileImage file, HuskFiles husk) {
    String instead = husk.reattach(file);
    if (instead == null) {
      return address;
    }
    byte[] wanted =
        SocketAddress.ofUnix(
            instead.startsWith("@") ? instead : Path.of(instead).toAbsolutePath().toString());
    if (wanted == null) {
      throw new UsageException(
          "--reattach " + HuskFiles.name(file) + "=" + instead + ": longer than 107 bytes");
    }
    return wanted;
  }

  private static void bindAbstract(
      RemoteFd fd,
      byte[] wanted,
      DescriptorImage.Socket image,
      OpenFileImage file,
      HuskFiles husk) {
    long result = tryBind(fd, wanted, husk);
    if (result == -EADDRINUSE) {
      throw taken(image, file);
    }
    Sys.check("bind", HuskFiles.name(file) + " to " + SocketAddress.text(wanted), result);
  }

  private static void bindFile(
      RemoteFd fd,
      String path,
      byte[] wanted,
      DescriptorImage.Socket image,
      OpenFileImage file,
      HuskFiles husk) {
    String name = HuskFiles.name(file);
    SocketFile was = image.file();
    if (was == null && husk.reattach(file) == null) {
      // Its file had been removed: nobody could reach it, and nobody will. It needs some name to
      // listen.
      byte[] anyName = {SocketCalls.AF_UNIX, 0};
      Sys.check("bind", name, tryBind(fd, anyName, husk));
      husk.note(name + ": the file " + path + " of this socket was gone already");
      return;
    }
    int mode = was == null ? 0700 : was.mode();
    // The file gets no more than these permissions from its first moment on.
    husk.process().call("fchmod", name, FCHMOD, fd.number(), mode);
    long result = tryBind(fd, wanted, husk);
    if (result == -EADDRINUSE) {
      if (alive(wanted, husk) || !isSocketFile(path, husk)) {
        throw taken(image, file);
      }
      husk.process().call("unlink", path, Nr.UNLINK, husk.put(path));
      result = tryBind(fd, wanted, husk);
    }
    if (result == -Errno.ENOENT) {
      throw HuskFiles.refused(
          file,
          "the folder of its file " + path + " is not there",
          "make it, or --reattach " + name + "=/another/path");
    }
    Sys.check("bind", name + " to " + path, result);
    if (was != null) {
      long given = husk.process().tryCall(CHOWN, husk.put(path), was.owner(), was.group());
      if (given < 0) {
        husk.note(
            name
                + ": "
                + path
                + " does not belong to user "
                + was.owner()
                + " and group "
                + was.group()
                + " as it did: "
                + Errno.describe((int) -given));
      }
    }
    // Not before it has its owner: a change of that takes some permissions away.
    husk.process().call("chmod", path, CHMOD, husk.put(path), mode);
  }

  /**
   * Whether a socket is still open behind a file. Asked with a datagram socket: a listening one
   * says that it is of another type, and is not disturbed by a connection.
   */
  private static boolean alive(byte[] address, HuskFiles husk) {
    RemoteFd probe =
        husk.socket(SocketCalls.AF_UNIX, SocketCalls.SOCK_DGRAM | SocketCalls.SOCK_NONBLOCK, 0);
    long result =
        husk.process().tryCall(Nr.CONNECT, probe.number(), husk.put(address), address.length);
    husk.close(probe);
    // EPROTOTYPE for a listening one, EPERM for a datagram socket that talks to somebody else.
    return result != -ECONNREFUSED && result != -Errno.ENOENT;
  }

  private static boolean isSocketFile(String path, HuskFiles husk) {
    String root = "/proc/" + husk.process().pid() + (path.startsWith("/") ? "/root" : "/cwd/");
    FileStat stat = FileCalls.stat(root + path);
    return stat != null && stat.isSocket();
  }

  private static long tryBind(RemoteFd fd, byte[] address, HuskFiles husk) {
    return husk.process().tryCall(Nr.BIND, fd.number(), husk.put(address), address.length);
  }
}
