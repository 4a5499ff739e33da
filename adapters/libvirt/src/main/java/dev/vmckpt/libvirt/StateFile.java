// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * What libvirt's daemon keeps of a domain while it runs, to know it again when the daemon was
 * started anew: {@code NAME.xml} in its state folder, an element {@code domstatus}. It tells the
 * process and the monitor, which no call of the library does.
 *
 * @param path where it is
 * @param text what it says
 * @param pid the process
 * @param uuid the domain's
 * @param monitor where the monitor listens
 * @param folders those it made for the domain, where QEMU listens
 */
record StateFile(Path path, String text, int pid, String uuid, Path monitor, List<Path> folders) {
  private static final String SYSTEM = "/run/libvirt/qemu";

  /**
   * That of a running domain.
   *
   * @throws FailureException if it is in none of the usual places
   * @throws NotPermittedException if it may not be read
   */
  static StateFile find(String uri, String name, String uuid) {
    List<Path> folders = folders(uri, System.getenv());
    for (Path folder : folders) {
      Path path = folder.resolve(name + ".xml");
      try {
        StateFile found = parse(path, Files.readString(path));
        if (found.uuid.equals(uuid)) {
          return found;
        }
      } catch (NoSuchFileException elsewhere) {
        // The next place, then.
      } catch (AccessDeniedException e) {
        throw new NotPermittedException(
            path + " may not be read, which tells the process of domain " + name + ": run as root",
            e);
      } catch (IOException e) {
        throw new FailureException(path + " cannot be read: " + e.getMessage(), e);
      }
    }
    throw new FailureException(
        "the state file of domain "
            + name
            + " is not in "
            + folders
            + "; name its process by its pid");
  }

  /**
   * Where the daemon of a URI keeps them: beside its socket, for the system's and a session's.
   *
   * @param environment the variables that tell of a session's
   */
  static List<Path> folders(String uri, Map<String, String> environment) {
    List<Path> folders = new ArrayList<>();
    int socket = uri.indexOf("socket=");
    if (socket >= 0) {
      String path = uri.substring(socket + "socket=".length()).split("&", 2)[0];
      Path beside = Path.of(path).toAbsolutePath().getParent();
      if (beside != null) {
        folders.add(beside.resolve("qemu/run"));
        folders.add(beside.resolve("qemu"));
      }
      return folders;
    }
    String runtime = environment.getOrDefault("XDG_RUNTIME_DIR", "");
    if (uri.contains("/session") && !runtime.isEmpty()) {
      folders.add(Path.of(runtime, "libvirt/qemu/run"));
    }
    if (uri.contains("/session")) {
      String home = environment.getOrDefault("HOME", "/");
      String cache = environment.getOrDefault("XDG_CACHE_HOME", home + "/.cache");
      folders.add(Path.of(cache, "libvirt/qemu/run"));
    }
    folders.add(Path.of(SYSTEM));
    return folders;
  }

  /**
   * Reads one.
   *
   * @throws IOException if it is no such file
   */
  static StateFile parse(Path path, String text) throws IOException {
    try {
      DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      DocumentBuilder builder = factory.newDocumentBuilder();
      // Else it prints what is wrong.
      builder.setErrorHandler(new DefaultHandler());
      Document document = builder.parse(new InputSource(new StringReader(text)));
      Element root = document.getDocumentElement();
      int pid = Integer.parseInt(root.getAttribute("pid"));
      String uuid = document.getElementsByTagName("uuid").item(0).getTextContent().strip();
      List<Path> folders = new ArrayList<>();
      for (String name : List.of("libDir", "channelTargetDir")) {
        NodeList found = document.getElementsByTagName(name);
        if (found.getLength() > 0) {
          folders.add(path(found.item(0)));
        }
      }
      Path monitor = path(document.getElementsByTagName("monitor").item(0));
      return new StateFile(path, text, pid, uuid, monitor, List.copyOf(folders));
    } catch (ParserConfigurationException | SAXException | RuntimeException e) {
      throw new IOException("it is no state of a domain: " + e.getMessage(), e);
    }
  }

  private static Path path(Node element) {
    return Path.of(((Element) element).getAttribute("path"));
  }

  /** The file with the number of the process, which the daemon keeps beside this one. */
  Path pidFile() {
    String name = String.valueOf(path.getFileName());
    return path.resolveSibling(name.substring(0, name.length() - ".xml".length()) + ".pid");
  }

  /**
   * What the file says of a process that was restored: it is in the namespaces of this host, not in
   * those that libvirt had made for it.
   */
  static String restored(String text) {
    return text.replaceFirst("(?s)\\s*<namespaces>.*?</namespaces>", "");
  }
}
