// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.vmckpt.spi.Guard;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.json.RecordJson;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;
import org.libvirt.Domain;
import org.libvirt.LibvirtException;

/**
 * A monitor that libvirt holds, as a channel: each line that is written is passed on by libvirt
 * (virDomainQemuMonitorCommand), and the answer is what can be read next.
 */
final class PassageChannel implements GuardedChannel {
  /** The end of the answers. */
  private static final byte[] END = new byte[0];

  /** Names a command; libvirt gives it a name of its own, and takes no other. */
  private static final String ID = "id";

  /** The name that libvirt gives to each command, as it stands in the answer. */
  private static final String THEIR_ID = "\"id\":\"libvirt-";

  private static final JsonFactory JSON = new JsonFactory();

  /**
   * What is to be said if we die.
   *
   * @param line one line, possibly empty
   * @param until what the answer to the last of it contains
   */
  record LastWords(String line, String until) {}

  private final Domain domain;
  private final Guard guard;
  private final LastWork lastWork;
  private final Runnable unheard;
  private final BlockingQueue<byte[]> commands = new LinkedBlockingQueue<>();
  private final BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();
  private final ByteArrayOutputStream line = new ByteArrayOutputStream();
  private ByteBuffer answer = ByteBuffer.wrap(END);
  private volatile boolean open = true;
  private volatile LastWords lastWords = new LastWords("", "");

  private PassageChannel(Libvirt libvirt, Domain domain, Guard guard, LastWork lastWork) {
    this.domain = domain;
    this.guard = guard;
    this.lastWork = lastWork;
    unheard =
        libvirt.hearResumed(
            domain, () -> answers.add("{\"event\":\"RESUME\"}\n".getBytes(StandardCharsets.UTF_8)));
  }

  /**
   * Opens it.
   *
   * @param guard closed with this
   */
  static PassageChannel open(Libvirt libvirt, Domain domain, Guard guard, LastWork lastWork) {
    PassageChannel channel = new PassageChannel(libvirt, domain, guard, lastWork);
    Thread worker = new Thread(channel::work, "libvirt");
    worker.setDaemon(true);
    worker.start();
    return channel;
  }

  LastWords lastWords() {
    return lastWords;
  }

  private void work() {
    try {
      for (byte[] command = commands.take(); command != END; command = commands.take()) {
        byte[] said = answer(command);
        answers.add(said);
        if (said == END) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The answer to a command, with its line's end; {@link #END} if nobody is there to answer. */
  private byte[] answer(byte[] command) {
    Map<String, Object> members = members(command);
    Object id = members.remove(ID);
    String ours = id == null ? "" : text(id);
    String said;
    try {
      said = named(domain.qemuMonitorCommand(text(members), 0), ours);
    } catch (LibvirtException e) {
      if (!Libvirt.isActive(domain)) {
        return END;
      }
      Map<String, Object> error = new LinkedHashMap<>();
      error.put("error", Map.of("class", "GenericError", "desc", "libvirt: " + Libvirt.words(e)));
      if (id != null) {
        error.put(ID, id);
      }
      said = text(error);
    }
    return (said + "\n").getBytes(StandardCharsets.UTF_8);
  }

  private static Map<String, Object> members(byte[] command) {
    Map<String, Object> members = new LinkedHashMap<>();
    Object tree = RecordJson.read(command, 0, command.length, JsonTree.class, "a command").value();
    if (tree instanceof Map<?, ?> map) {
      map.forEach((name, value) -> members.put(String.valueOf(name), value));
    }
    return members;
  }

  private static String text(Object tree) {
    return new String(RecordJson.write(new JsonTree(tree)), StandardCharsets.UTF_8);
  }

  /** An answer with our name of the command in place of libvirt's. */
  private static String named(String answer, String id) {
    int at = answer.lastIndexOf(THEIR_ID);
    int end = answer.indexOf('"', at + THEIR_ID.length());
    if (at < 0 || id.isEmpty()) {
      return answer;
    }
    return answer.substring(0, at) + "\"id\":" + id + answer.substring(end + 1);
  }

  @Override
  public int read(ByteBuffer into) throws IOException {
    if (!answer.hasRemaining()) {
      try {
        byte[] next = answers.take();
        if (next == END) {
          answers.add(END);
          return -1;
        }
        answer = ByteBuffer.wrap(next);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new ClosedChannelException();
      }
    }
    int some = Math.min(into.remaining(), answer.remaining());
    into.put(into.position(), answer, answer.position(), some);
    into.position(into.position() + some);
    answer.position(answer.position() + some);
    return some;
  }

  @Override
  public int write(ByteBuffer from) throws IOException {
    if (!open) {
      throw new ClosedChannelException();
    }
    int some = from.remaining();
    while (from.hasRemaining()) {
      byte next = from.get();
      if (next == '\n') {
        commands.add(line.toByteArray());
        line.reset();
      } else {
        line.write(next);
      }
    }
    return some;
  }

  @Override
  public void setLastWords(String words, String until, List<Integer> again) {
    guard.setLastWork(words.isEmpty() ? "" : lastWork.script(split(words), again));
    lastWords = new LastWords(words, until);
  }

  /** The commands of a line, without names. */
  private static List<String> split(String words) {
    List<String> all = new ArrayList<>();
    try (JsonParser parser = JSON.createParser(words)) {
      for (@Nullable JsonToken token = parser.nextToken();
          token != null;
          token = parser.nextToken()) {
        int begin = (int) parser.currentTokenLocation().getCharOffset();
        parser.skipChildren();
        String command = words.substring(begin, (int) parser.currentLocation().getCharOffset());
        Map<String, Object> members = members(command.getBytes(StandardCharsets.UTF_8));
        members.remove(ID);
        all.add(text(members));
      }
    } catch (IOException e) {
      throw new IllegalArgumentException("no commands: " + words, e);
    }
    return all;
  }

  @Override
  public boolean isOpen() {
    return open;
  }

  /** A command that libvirt has yet to answer is waited for by nobody. */
  @Override
  public void close() {
    if (open) {
      open = false;
      unheard.run();
      commands.add(END);
      answers.add(END);
      guard.close();
    }
  }
}
