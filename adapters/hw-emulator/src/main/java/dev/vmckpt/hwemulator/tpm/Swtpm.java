// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.tpm;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The control channel of swtpm (include/swtpm/tpm_ioctl.h and swtpm_ioctls(3) of its source). All
 * numbers are big-endian; what is asked and answered, behind the number of the command:
 *
 * <pre>
 * 01 capabilities                                        → 8 bits
 * 02 init        4 flags                                 → 4 result
 * 0c get state   4 flags  4 kind  4 offset               → 4 result  4 flags  4 total  4 length  bytes
 * 0d set state   4 flags  4 kind  4 length  bytes        → 4 result
 * 0e stop                                                → 4 result
 * 10 data channel, with its descriptor                   → 4 result
 * 11 buffer size 4 bytes, or 0 to ask                    → 4 result  4 bytes  4 least  4 most
 * 12 information 8 which  4 offset  4 zeros              → 4 result  4 total  4 length  text
 * 13 lock        4 how often to try                      → 4 result
 * </pre>
 */
final class Swtpm {
  /** Kinds of state. */
  static final int PERMANENT = 1;

  static final int VOLATILE = 2;
  static final int SAVED = 3;

  /** What it must be able to do: init, both ways of state, stop, data channel, buffer size. */
  static final long NEEDED = 1 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13;

  private static final long TELLS_INFORMATION = 1 << 14;
  private static final long LOCKS = 1 << 16;

  private static final int CAPABILITIES = 1;
  private static final int INIT = 2;
  private static final int GET_STATE = 0xc;
  private static final int SET_STATE = 0xd;
  private static final int STOP = 0xe;
  private static final int DATA_CHANNEL = 0x10;
  private static final int BUFFER_SIZE = 0x11;
  private static final int INFORMATION = 0x12;
  private static final int LOCK = 0x13;

  /** Asked for: as it is, not encrypted, unless swtpm has a key for migration. */
  private static final int DECRYPTED = 1;

  /** The volatile state belongs to this start alone. */
  private static final int DELETE_VOLATILE = 1;

  /** A result of this bit says that there is no state of that kind. */
  private static final int NOT_FATAL = 0x800;

  private static final int TRIES = 100;
  private static final long SPECIFICATION = 1;
  private static final int GET_HEADER = 16;
  private static final int INFORMATION_HEADER = 12;
  private static final String FAMILY = "\"family\":\"";

  /**
   * A state.
   *
   * @param flags as swtpm gave them: whether it is encrypted
   * @param bytes empty if there is none
   */
  record Blob(int flags, byte[] bytes) {}

  private final Conversation channel;
  private final String name;

  /**
   * @param name who it is, for messages
   */
  Swtpm(Conversation channel, String name) {
    this.channel = channel;
    this.name = name;
  }

  /** What it can do; -1 if whoever is there does not answer as swtpm does. */
  long tryCapabilities() {
    byte[] answer = channel.tryAsk(command(CAPABILITIES, 0).array(), List.of(), new Fixed(8));
    return answer == null || answer.length != 8 ? -1 : ByteBuffer.wrap(answer).getLong();
  }

  /** Of which TPM it is, {@code 1.2} or {@code 2.0}; empty if it does not tell. */
  String family(long capabilities) {
    if ((capabilities & TELLS_INFORMATION) == 0) {
      return "";
    }
    byte[] question = command(INFORMATION, 16).putLong(SPECIFICATION).putLong(0).array();
    byte[] answer = channel.tryAsk(question, List.of(), new Sized(INFORMATION_HEADER));
    String text = answer == null ? "" : new String(answer, StandardCharsets.ISO_8859_1);
    int at = text.indexOf(FAMILY);
    int end = at < 0 ? -1 : text.indexOf('"', at + FAMILY.length());
    return end < 0 ? "" : text.substring(at + FAMILY.length(), end);
  }

  Blob state(int kind) {
    byte[] question = command(GET_STATE, 12).putInt(DECRYPTED).putInt(kind).putInt(0).array();
    ByteBuffer answer = ByteBuffer.wrap(channel.ask(question, List.of(), new Sized(GET_HEADER)));
    int result = answer.getInt(0);
    if (result != 0 && (result & NOT_FATAL) == 0) {
      throw failed("tell its state", result);
    }
    int length = answer.getInt(12);
    if (length != answer.getInt(8)) {
      throw new FailureException(name + " tells its state in pieces");
    }
    return new Blob(
        answer.getInt(4), Arrays.copyOfRange(answer.array(), GET_HEADER, GET_HEADER + length));
  }

  /** Takes its storage again, which a swtpm that is to be left gives up with its state. */
  void lock(long capabilities) {
    if ((capabilities & LOCKS) != 0) {
      require("lock its storage", command(LOCK, 4).putInt(TRIES).array(), List.of());
    }
  }

  int bufferSize() {
    byte[] answer = channel.ask(command(BUFFER_SIZE, 4).array(), List.of(), new Fixed(16));
    check("tell the size of its buffer", answer);
    return ByteBuffer.wrap(answer).getInt(4);
  }

  /** It must be stopped. */
  void setBufferSize(int bytes) {
    byte[] question = command(BUFFER_SIZE, 4).putInt(bytes).array();
    byte[] answer = channel.ask(question, List.of(), new Fixed(16));
    check("take a buffer of " + bytes + " bytes", answer);
    if (ByteBuffer.wrap(answer).getInt(4) != bytes) {
      throw new FailureException(
          name + " does not take a buffer of " + bytes + " bytes, which the guest knows of");
    }
  }

  /** It must be stopped. */
  void setState(int kind, Blob blob) {
    byte[] bytes = blob.bytes();
    if (bytes.length > 0) {
      byte[] question =
          command(SET_STATE, 12 + bytes.length)
              .putInt(blob.flags())
              .putInt(kind)
              .putInt(bytes.length)
              .put(bytes)
              .array();
      require("take its state", question, List.of());
    }
  }

  void stop() {
    require("stop", command(STOP, 0).array(), List.of());
  }

  /** Starts it with the state it was given. */
  void resume() {
    require("start", command(INIT, 4).putInt(DELETE_VOLATILE).array(), List.of());
  }

  void setDataChannel(RemoteFd end) {
    require("take a data channel", command(DATA_CHANNEL, 0).array(), List.of(end));
  }

  private void require(String what, byte[] question, List<RemoteFd> descriptors) {
    check(what, channel.ask(question, descriptors, new Fixed(4)));
  }

  private void check(String what, byte[] answer) {
    int result = ByteBuffer.wrap(answer).getInt(0);
    if (result != 0) {
      throw failed(what, result);
    }
  }

  private FailureException failed(String what, int result) {
    return new FailureException(name + " does not " + what + ": 0x" + Integer.toHexString(result));
  }

  private static ByteBuffer command(int number, int bytes) {
    return ByteBuffer.allocate(Integer.BYTES + bytes).putInt(number);
  }

  /** A result alone if it is a bad one. */
  private static @Nullable Integer unlessGood(byte[] begun) {
    if (begun.length < Integer.BYTES) {
      return Integer.BYTES;
    }
    int result = ByteBuffer.wrap(begun).getInt(0);
    return result != 0 && (result & NOT_FATAL) == 0 ? Integer.BYTES : null;
  }

  private record Fixed(int length) implements Conversation.Framing {
    @Override
    public int bytes(byte[] begun) {
      Integer less = length == Long.BYTES ? null : unlessGood(begun);
      return less == null ? length : less;
    }
  }

  /** A header, whose last number tells how much follows. */
  private record Sized(int header) implements Conversation.Framing {
    @Override
    public int bytes(byte[] begun) {
      Integer less = unlessGood(begun);
      if (less != null || begun.length < header) {
        return less == null ? header : less;
      }
      int length = ByteBuffer.wrap(begun).getInt(header - Integer.BYTES);
      return length < 0 ? header : header + length;
    }
  }
}
