// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.Conversation;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The frontend's side of the vhost-user protocol, as far as it is spoken here (docs/interop/
 * vhost-user.rst of QEMU). Numbers are of the machine's own order.
 *
 * <pre>
 * message   0 request  4 flags: 1 version, 4 answer, 8 wants an answer  8 size  12 payload
 * region    0 zeros 8 guest address 16 size 24 user address 32 offset in its descriptor
 * config    0 offset 4 size 8 flags 12 bytes
 * </pre>
 */
final class VhostUser {
  /** Bits of the protocol's own features. */
  static final long QUEUES = 1;

  static final long ACKNOWLEDGES = 1 << 3;
  static final long BACK_CHANNEL = 1 << 5;
  static final long CONFIG = 1 << 9;
  static final long MEMORY_SLOTS = 1 << 15;

  /**
   * Those up to 15, but for notifications in band, which QEMU does not take. It takes all others
   * that a backend has; of newer ones it depends on QEMU.
   */
  static final long KNOWN = 0xffff & ~(1 << 14);

  /** A bit of the device's features: that the protocol has features. */
  static final long HAS_PROTOCOL = 1 << 30;

  private static final int GET_FEATURES = 1;
  private static final int SET_OWNER = 3;
  private static final int GET_PROTOCOL_FEATURES = 15;
  private static final int SET_PROTOCOL_FEATURES = 16;
  private static final int GET_QUEUES = 17;
  private static final int SET_BACK_CHANNEL = 21;
  private static final int GET_CONFIG = 24;
  private static final int SET_CONFIG = 25;
  private static final int ADD_MEMORY = 37;
  private static final int VERSION = 1;
  private static final int WANTS_ANSWER = 8;
  private static final int HEADER = 12;
  private static final int CONFIG_HEADER = 12;

  private final Conversation connection;
  private final String name;

  /**
   * @param name who it is, for messages
   */
  VhostUser(Conversation connection, String name) {
    this.connection = connection;
    this.name = name;
  }

  /** What the device can do; 0 if whoever is there does not answer as a backend does. */
  long tryFeatures() {
    byte[] answer = tryAsk(GET_FEATURES, new byte[0]);
    return answer == null || answer.length != Long.BYTES ? 0 : number(answer);
  }

  long protocolFeatures() {
    return number(ask(GET_PROTOCOL_FEATURES, new byte[0]));
  }

  void setProtocolFeatures(long features) {
    connection.tell(message(SET_PROTOCOL_FEATURES, VERSION, bytes(features)), List.of());
  }

  long queues() {
    return number(ask(GET_QUEUES, new byte[0]));
  }

  void setOwner() {
    connection.tell(message(SET_OWNER, VERSION, new byte[0]), List.of());
  }

  /** The first bytes of the device's configuration; empty if it does not tell so many. */
  byte[] config(int length) {
    ByteBuffer payload = ByteBuffer.allocate(CONFIG_HEADER + length).order(ByteOrder.LITTLE_ENDIAN);
    byte[] answer = ask(GET_CONFIG, payload.putInt(4, length).array());
    return answer.length == CONFIG_HEADER + length
        ? Arrays.copyOfRange(answer, CONFIG_HEADER, answer.length)
        : new byte[0];
  }

  void setConfig(int offset, byte value, boolean acknowledges) {
    ByteBuffer payload = ByteBuffer.allocate(CONFIG_HEADER + 1).order(ByteOrder.LITTLE_ENDIAN);
    payload.putInt(0, offset).putInt(4, 1).put(CONFIG_HEADER, value);
    tell("take its configuration", SET_CONFIG, payload.array(), List.of(), acknowledges);
  }

  void setBackChannel(RemoteFd end, boolean acknowledges) {
    tell("take a back channel", SET_BACK_CHANNEL, new byte[0], List.of(end), acknowledges);
  }

  void addMemory(VhostImage.Region region, boolean acknowledges) {
    byte[] payload =
        ByteBuffer.allocate(40)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(0)
            .putLong(region.guest())
            .putLong(region.bytes())
            .putLong(region.user())
            .putLong(region.offset())
            .array();
    RemoteFd descriptor = new RemoteFd(region.descriptor());
    tell("take the guest's memory", ADD_MEMORY, payload, List.of(descriptor), acknowledges);
  }

  private void tell(
      String what, int request, byte[] payload, List<RemoteFd> descriptors, boolean acknowledges) {
    if (!acknowledges) {
      connection.tell(message(request, VERSION, payload), descriptors);
      return;
    }
    byte[] question = message(request, VERSION | WANTS_ANSWER, payload);
    byte[] answer = connection.ask(question, descriptors, new Sized());
    if (answer.length != HEADER + Long.BYTES
        || number(Arrays.copyOfRange(answer, HEADER, answer.length)) != 0) {
      throw new FailureException(name + " does not " + what);
    }
  }

  private byte[] ask(int request, byte[] payload) {
    byte[] answer = tryAsk(request, payload);
    if (answer == null || answer.length < Long.BYTES) {
      throw new FailureException(name + " does not answer as a vhost-user backend does");
    }
    return answer;
  }

  /** The payload of the answer; null if there is none to this question. */
  private byte @Nullable [] tryAsk(int request, byte[] payload) {
    byte[] answer = connection.tryAsk(message(request, VERSION, payload), List.of(), new Sized());
    if (answer == null
        || ByteBuffer.wrap(answer).order(ByteOrder.LITTLE_ENDIAN).getInt(0) != request) {
      return null;
    }
    return Arrays.copyOfRange(answer, HEADER, answer.length);
  }

  private static byte[] message(int request, int flags, byte[] payload) {
    return ByteBuffer.allocate(HEADER + payload.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(request)
        .putInt(flags)
        .putInt(payload.length)
        .put(payload)
        .array();
  }

  private static byte[] bytes(long value) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
  }

  private static long number(byte[] payload) {
    return ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
  }

  /** A message tells how long it is; no sane one is longer than a page. */
  private record Sized() implements Conversation.Framing {
    private static final int MOST = 4096;

    @Override
    public int bytes(byte[] begun) {
      if (begun.length < HEADER) {
        return HEADER;
      }
      int size = ByteBuffer.wrap(begun).order(ByteOrder.LITTLE_ENDIAN).getInt(8);
      return size < 0 || size > MOST ? begun.length : HEADER + size;
    }
  }
}
