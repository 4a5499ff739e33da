// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator;

import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Questions and answers over a connected socket of a process of ours, or of a target whose
 * connection we borrow. A question and its answer are one batch that is made to its end even if we
 * die: an answer that nobody took would be the answer to the target's own next question.
 */
public final class Conversation {
  /** How long an answer is, as far as can be told from its beginning. */
  public interface Framing {
    /** At least one more than {@code begun.length} if there is more to come, else just that. */
    int bytes(byte[] begun);
  }

  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int O_NONBLOCK = 04000;
  private static final int O_CLOEXEC = 02000000;
  private static final int F_SETFL = 4;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int POLLIN = 1;
  private static final int PATIENCE_MILLIS = 2000;
  private static final int FIONREAD = 0x541b;
  private static final int SIOCOUTQ = 0x5411;
  private static final int MOST_PATH = 107;

  /** What one reading takes at most. */
  private static final int ROOM = 160 << 10;

  private final RemoteTask task;
  private final RemoteFd socket;
  private final String with;

  /**
   * @param task who holds the socket, or shares the descriptors of who does
   * @param with who is at the other end, for messages
   */
  public Conversation(RemoteTask task, RemoteFd socket, String with) {
    this.task = task;
    this.socket = socket;
    this.with = with;
  }

  /**
   * Calls a server.
   *
   * @param path absolute, or {@code @name}
   * @return the number of the connected socket, or minus the errno: ENOENT and ECONNREFUSED if
   *     nobody listens there, EAGAIN if too many wait there, EINVAL if the path is too long
   */
  public static long tryConnect(RemoteTask task, String path) {
    byte[] name = path.getBytes(StandardCharsets.UTF_8);
    if (name.length > MOST_PATH) {
      return -Errno.EINVAL;
    }
    boolean isAbstract = path.startsWith("@");
    ByteBuffer address =
        ByteBuffer.allocate(2 + name.length + (isAbstract ? 0 : 1)).order(ByteOrder.LITTLE_ENDIAN);
    address.putShort((short) AF_UNIX).put(name);
    if (isAbstract) {
      address.put(2, (byte) 0);
    }
    long fd =
        task.call("socket", path, Nr.SOCKET, AF_UNIX, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0);
    task.write(task.scratch(), address.array());
    long result = task.tryCall(Nr.CONNECT, fd, task.scratch().value(), address.capacity());
    if (result < 0) {
      task.call("close", path, Nr.CLOSE, fd);
      return result;
    }
    return fd;
  }

  /**
   * Where a server is looked for.
   *
   * @param recorded where it was
   * @param wish where the user wants it to be, or null
   */
  public static String place(String recorded, @Nullable String wish) {
    if (wish == null) {
      return recorded;
    }
    return wish.startsWith("@") ? wish : Path.of(wish).toAbsolutePath().toString();
  }

  /** Makes a pair of connected sockets. */
  public static RemoteFd[] pair(RemoteTask task, String subject) {
    RemoteAddress numbers = task.scratch();
    task.call(
        "socketpair", subject, Nr.SOCKETPAIR, AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, numbers.value());
    ByteBuffer two = ByteBuffer.wrap(task.read(numbers, 8)).order(ByteOrder.LITTLE_ENDIAN);
    return new RemoteFd[] {new RemoteFd(two.getInt(0)), new RemoteFd(two.getInt(4))};
  }

  /**
   * Runs through what talks over a socket, with both ends in our hands.
   *
   * @param with what is played, for messages
   * @param talk is given the end that asks, and the other, where the answers are put before
   */
  public static void rehearse(
      RemoteTask task, String with, BiConsumer<Conversation, Conversation> talk) {
    RemoteFd[] ends = pair(task, with);
    try {
      talk.accept(new Conversation(task, ends[0], with), new Conversation(task, ends[1], with));
      isQuiet(task, ends[0]);
    } finally {
      for (RemoteFd end : ends) {
        task.call("close", with, Nr.CLOSE, end.number());
      }
    }
  }

  /** Gives a socket that was made anew the flags it had. */
  public static void setFlags(RemoteTask task, RemoteFd fd, int recorded) {
    task.call(
        "fcntl(F_SETFL)", fd.toString(), Nr.FCNTL, fd.number(), F_SETFL, recorded & O_NONBLOCK);
  }

  /** Whether nothing is on its way over a socket: nothing unread here, and nothing there. */
  public static boolean isQuiet(RemoteTask task, RemoteFd socket) {
    CallBatch batch = task.batch();
    RemoteAddress unread = batch.reserve(Integer.BYTES);
    RemoteAddress unsent = batch.reserve(Integer.BYTES);
    String name = socket.toString();
    batch.call("ioctl(FIONREAD)", name, Nr.IOCTL, socket.number(), FIONREAD, unread.value());
    batch.call("ioctl(SIOCOUTQ)", name, Nr.IOCTL, socket.number(), SIOCOUTQ, unsent.value());
    batch.run();
    return intAt(batch.read(unread, Integer.BYTES), 0) == 0
        && intAt(batch.read(unsent, Integer.BYTES), 0) == 0;
  }

  private static int intAt(byte[] bytes, int at) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(at);
  }

  /**
   * Asks.
   *
   * @param descriptors go with the question
   * @throws FailureException if there is no whole answer within two seconds
   */
  public byte[] ask(byte[] question, List<RemoteFd> descriptors, Framing framing) {
    byte[] answer = tryAsk(question, descriptors, framing);
    if (answer == null) {
      throw new FailureException(with + " does not answer");
    }
    return answer;
  }

  /** The same; null if there is no whole answer within two seconds, or the other end hung up. */
  public byte @Nullable [] tryAsk(byte[] question, List<RemoteFd> descriptors, Framing framing) {
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    byte[] begun = new byte[0];
    while (framing.bytes(begun) > begun.length) {
      CallBatch batch = task.batch();
      boolean first = begun.length == 0;
      int sent = first ? send(batch, question, descriptors) : -1;
      RemoteAddress events = batch.place(pollIn());
      RemoteAddress room = batch.reserve(ROOM);
      batch.tryCall(Nr.POLL, events.value(), 1, PATIENCE_MILLIS);
      int received =
          batch.tryCall(Nr.RECVFROM, socket.number(), room.value(), ROOM, MSG_DONTWAIT, 0, 0);
      batch.runThrough();
      long count = batch.result(received);
      if (count <= 0 || (first && batch.result(sent) != question.length)) {
        return null;
      }
      byte[] part = batch.read(room, (int) count);
      answer.write(part, 0, part.length);
      begun = answer.toByteArray();
    }
    return begun;
  }

  /** Says something that has no answer. */
  public void tell(byte[] words, List<RemoteFd> descriptors) {
    CallBatch batch = task.batch();
    int sent = send(batch, words, descriptors);
    batch.runThrough();
    if (batch.result(sent) != words.length) {
      throw new FailureException(with + " does not listen");
    }
  }

  /** struct pollfd: 0 descriptor 4 events 6 returned events. */
  private byte[] pollIn() {
    return ByteBuffer.allocate(8)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(socket.number())
        .putShort((short) POLLIN)
        .array();
  }

  /**
   * sendmsg(2).
   *
   * <pre>
   * struct msghdr    0 name 8 its length 16 iovec 24 how many 32 control 40 its length 48 flags
   * struct iovec     0 address 8 length
   * struct cmsghdr   0 length 8 level 12 type 16 descriptors
   * </pre>
   *
   * @return the index of the call
   */
  private int send(CallBatch batch, byte[] words, List<RemoteFd> descriptors) {
    ByteBuffer vector = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    vector.putLong(batch.place(words).value()).putLong(words.length);
    ByteBuffer header = ByteBuffer.allocate(56).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(16, batch.place(vector.array()).value()).putLong(24, 1);
    if (!descriptors.isEmpty()) {
      int length = 16 + Integer.BYTES * descriptors.size();
      ByteBuffer control = ByteBuffer.allocate((length + 7) & -8).order(ByteOrder.LITTLE_ENDIAN);
      control.putLong(length).putInt(SOL_SOCKET).putInt(SCM_RIGHTS);
      for (int i = 0; i < descriptors.size(); i++) {
        control.putInt(descriptors.get(i).number());
      }
      header.putLong(32, batch.place(control.array()).value()).putLong(40, control.capacity());
    }
    return batch.tryCall(
        Nr.SENDMSG,
        socket.number(),
        batch.place(header.array()).value(),
        MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}
