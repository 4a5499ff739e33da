// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Asks and sets a network device in the network namespace of another process, by calls over there:
 * a socket of the process' own for as long as this is open (netdevice(7)).
 *
 * <pre>
 * struct ifreq   name 16, then 24 bytes of one value or address
 * </pre>
 */
final class NetworkDevice implements AutoCloseable {
  static final int UP = 1;

  static final int NAME_BYTES = 16;
  static final int REQUEST_BYTES = 40;

  // linux/sockios.h
  private static final int SIOCGIFFLAGS = 0x8913;
  private static final int SIOCSIFFLAGS = 0x8914;
  private static final int SIOCGIFMTU = 0x8921;
  private static final int SIOCSIFMTU = 0x8922;
  private static final int SIOCGIFINDEX = 0x8933;
  private static final int SIOCETHTOOL = 0x8946;
  private static final int SIOCBRADDIF = 0x89a2;

  // linux/ethtool.h
  private static final int ETHTOOL_GSTRINGS = 0x1b;
  private static final int ETHTOOL_GSSET_INFO = 0x37;
  private static final int ETHTOOL_GFEATURES = 0x3a;
  private static final int ETH_SS_FEATURES = 4;
  private static final int STRING_BYTES = 32;

  /** Where the second structure of a request lies, behind the first. */
  private static final int BEHIND = 64;

  private static final int MOST_FEATURES = 96;
  private static final int AF_UNIX = 1;
  private static final int SOCK_DGRAM_CLOEXEC = 2 | 02000000;

  private final RemoteProcess process;
  private final String name;
  private final RemoteFd socket;

  NetworkDevice(RemoteProcess process, String name) {
    this.process = process;
    this.name = name;
    socket =
        new RemoteFd((int) process.call("socket", name, Nr.SOCKET, AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
  }

  @Override
  public void close() {
    process.call("close", name, Nr.CLOSE, socket.number());
  }

  /**
   * struct ifreq.
   *
   * @param value what stands behind the name
   */
  static byte[] request(String name, byte[] value) {
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    byte[] request = new byte[REQUEST_BYTES];
    System.arraycopy(utf8, 0, request, 0, Math.min(utf8.length, NAME_BYTES - 1));
    System.arraycopy(value, 0, request, NAME_BYTES, value.length);
    return request;
  }

  /** struct ifreq with a number, of which the first two bytes may be all that counts. */
  static byte[] request(String name, long value) {
    return request(
        name, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  /** The name in a struct ifreq. */
  static String name(byte[] request) {
    int end = 0;
    while (end < NAME_BYTES && request[end] != 0) {
      end++;
    }
    return new String(request, 0, end, StandardCharsets.UTF_8);
  }

  /** Its number, or minus an errno: ENODEV when there is none of that name. */
  long tryIndex() {
    return tryGet(SIOCGIFINDEX);
  }

  int flags() {
    return (int) check("SIOCGIFFLAGS", tryGet(SIOCGIFFLAGS)) & 0xffff;
  }

  int mtu() {
    return (int) check("SIOCGIFMTU", tryGet(SIOCGIFMTU));
  }

  long trySetMtu(int mtu) {
    return trySet(name, SIOCSIFMTU, mtu);
  }

  long trySetFlags(int flags) {
    return trySet(name, SIOCSIFFLAGS, flags);
  }

  /** Makes it a port of a bridge. */
  long tryJoin(String bridge) {
    long index = tryIndex();
    return index < 0 ? index : trySet(bridge, SIOCBRADDIF, (int) index);
  }

  /**
   * Which of some features are on.
   *
   * @param wanted their names as ethtool(8) writes them
   * @return bit i for the i-th of them
   */
  int features(String... wanted) {
    byte[] known = ethtool(ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0, 0);
    int count = intAt(known, 16);
    if (count <= 0 || count > MOST_FEATURES) {
      return 0;
    }
    byte[] names =
        ethtoolOf(3 * Integer.BYTES + count * STRING_BYTES, ETHTOOL_GSTRINGS, ETH_SS_FEATURES);
    int blocks = (count + 31) / 32;
    byte[] states = ethtoolOf((2 + 4 * blocks) * Integer.BYTES, ETHTOOL_GFEATURES, blocks);
    int found = 0;
    for (int i = 0; i < count; i++) {
      int at = 3 * Integer.BYTES + i * STRING_BYTES;
      // Available, requested, active, never changed: for 32 features at a time.
      int active = intAt(states, (2 + 4 * (i / 32) + 2) * Integer.BYTES);
      if ((active >>> i % 32 & 1) == 0) {
        continue;
      }
      for (int j = 0; j < wanted.length; j++) {
        if (isText(names, at, wanted[j])) {
          found |= 1 << j;
        }
      }
    }
    return found;
  }

  private static boolean isText(byte[] names, int at, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (names[at + i] != text.charAt(i)) {
        return false;
      }
    }
    return names[at + text.length()] == 0;
  }

  private byte[] ethtool(int... words) {
    return ethtoolOf(words.length * Integer.BYTES, words);
  }

  private byte[] ethtoolOf(int bytes, int... words) {
    RemoteAddress scratch = process.scratch();
    ByteBuffer behind = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int word : words) {
      behind.putInt(word);
    }
    process.write(scratch.plus(BEHIND), behind.array());
    process.write(scratch, request(name, scratch.plus(BEHIND).value()));
    check("SIOCETHTOOL", process.tryCall(Nr.IOCTL, socket.number(), SIOCETHTOOL, scratch.value()));
    return process.read(scratch.plus(BEHIND), bytes);
  }

  private long tryGet(int call) {
    RemoteAddress scratch = process.scratch();
    process.write(scratch, request(name, 0));
    long result = process.tryCall(Nr.IOCTL, socket.number(), call, scratch.value());
    return result < 0
        ? result
        : intAt(process.read(scratch.plus(NAME_BYTES), Integer.BYTES), 0) & 0xffffffffL;
  }

  private long trySet(String device, int call, int value) {
    RemoteAddress scratch = process.scratch();
    process.write(scratch, request(device, value));
    return process.tryCall(Nr.IOCTL, socket.number(), call, scratch.value());
  }

  private long check(String call, long result) {
    if (result < 0) {
      throw new SyscallException("ioctl(" + call + ")", (int) -result, "network device " + name);
    }
    return result;
  }

  private static int intAt(byte[] bytes, int at) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(at);
  }

  /** Whether a result says that there is no such device. */
  static boolean isMissing(long result) {
    return result == -Errno.ENODEV;
  }

  /** struct sockaddr of a hardware address, in a struct ifreq. */
  static byte[] hardwareAddress(byte[] request) {
    return Arrays.copyOfRange(request, NAME_BYTES, NAME_BYTES + 16);
  }
}
