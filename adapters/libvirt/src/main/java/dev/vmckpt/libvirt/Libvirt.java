// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.UsageException;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.libvirt.Connect;
import org.libvirt.Domain;
import org.libvirt.Error;
import org.libvirt.ErrorCallback;
import org.libvirt.Library;
import org.libvirt.LibvirtException;
import org.libvirt.event.DomainEventType;
import org.libvirt.event.LifecycleListener;

/** A connection to the daemon that runs the QEMUs of this host, or of one of its users. */
final class Libvirt implements AutoCloseable {
  /** Where JNA looks: the links without a number are in libvirt-dev, which nobody needs. */
  private static final String SEARCHED = "jna.library.path";

  private static final String PLACES =
      "/usr/lib/x86_64-linux-gnu:/usr/lib64:/usr/lib:/usr/local/lib64:/usr/local/lib";

  private static boolean loaded;

  private final Connect connect;
  private final String uri;

  private Libvirt(Connect connect, String uri) {
    this.connect = connect;
    this.uri = uri;
  }

  /**
   * Connects.
   *
   * @param uri empty for libvirt's own choice
   * @throws FailureException if the library is not installed
   * @throws TargetGoneException if no daemon answers
   * @throws UsageException if it is no QEMU's, or none of this host
   */
  static Libvirt connect(String uri) {
    load();
    try {
      Connect connect = new Connect(uri);
      Libvirt made = new Libvirt(connect, uri.isEmpty() ? connect.getURI() : uri);
      if (!made.uri.startsWith("qemu:///") && !made.uri.startsWith("qemu+unix:///")) {
        made.close();
        throw new UsageException(
            made.uri + " is none of a QEMU on this host; write libvirt:qemu:///system#NAME");
      }
      return made;
    } catch (LibvirtException e) {
      throw new TargetGoneException(
          "no libvirt daemon answers"
              + (uri.isEmpty() ? "" : " at " + uri)
              + ": "
              + words(e)
              + "; start it (systemctl start libvirtd), or name another one: libvirt:URI#NAME",
          e);
    }
  }

  private static synchronized void load() {
    if (loaded) {
      return;
    }
    @Nullable String before = System.getProperty(SEARCHED);
    System.setProperty(SEARCHED, before == null ? PLACES : before + ":" + PLACES);
    try {
      Library.initEventLoop();
      Thread events = new Thread(Libvirt::hear, "libvirt-events");
      events.setDaemon(true);
      events.start();
      // Else the library prints every error itself.
      Connect.setErrorCallback(new ErrorCallback());
      loaded = true;
    } catch (LinkageError e) {
      throw new FailureException(
          "libvirt's library is not installed, which knows its domains: apt-get install libvirt0"
              + " (libvirt.so.0, libvirt-qemu.so.0)",
          e);
    } catch (LibvirtException e) {
      throw new FailureException("libvirt's library cannot be used: " + words(e), e);
    } finally {
      if (before == null) {
        System.clearProperty(SEARCHED);
      } else {
        System.setProperty(SEARCHED, before);
      }
    }
  }

  /** Events come for as long as we live. */
  private static void hear() {
    try {
      Library.runEventLoop();
    } catch (LibvirtException | InterruptedException e) {
      // Nothing is heard any more: what waits for an answer does not depend on it.
    }
  }

  /** Where the daemon is, as libvirt has it. */
  String uri() {
    return uri;
  }

  /**
   * The domain of a name or UUID, running or not.
   *
   * @throws TargetGoneException if there is none
   */
  Domain domain(String word) {
    try {
      return connect.domainLookupByName(word);
    } catch (LibvirtException e) {
      Domain other = tryDomain(word);
      if (other != null) {
        return other;
      }
      throw new TargetGoneException(
          "libvirt has no domain " + word + " at " + uri + "; virsh list --all names them", e);
    }
  }

  /** The domain of a UUID; null if there is none. */
  @Nullable Domain tryDomain(String uuid) {
    try {
      return connect.domainLookupByUUID(UUID.fromString(uuid));
    } catch (IllegalArgumentException | LibvirtException none) {
      return null;
    }
  }

  /** Whether libvirt says that it runs a domain. */
  boolean runs(String uuid) {
    Domain domain = tryDomain(uuid);
    return domain != null && isActive(domain);
  }

  /** Whether a domain runs. */
  static boolean isActive(Domain domain) {
    try {
      return domain.isActive() == 1;
    } catch (LibvirtException e) {
      return false;
    }
  }

  /**
   * Hears when somebody lets a domain go on.
   *
   * @return what ends it
   */
  Runnable hearResumed(Domain domain, Runnable told) {
    LifecycleListener listener =
        (of, event) -> {
          if (event.getType() == DomainEventType.RESUMED && of.equals(domain)) {
            told.run();
          }
          return 0;
        };
    try {
      connect.addLifecycleListener(listener);
      return () -> {
        try {
          connect.removeLifecycleListener(listener);
        } catch (LibvirtException e) {
          // With the connection gone nothing is heard either.
        }
      };
    } catch (LibvirtException e) {
      throw new FailureException("libvirt does not tell of its domains: " + words(e), e);
    }
  }

  /** What libvirt says is wrong. */
  static String words(LibvirtException e) {
    Error error = e.getError();
    String message = error == null ? e.getMessage() : error.getMessage();
    return String.valueOf(message).strip();
  }

  @Override
  public void close() {
    try {
      connect.close();
    } catch (LibvirtException e) {
      // It has gone by itself.
    }
  }
}
