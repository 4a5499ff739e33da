// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * ioctl(2) on a descriptor of another process, made over there: what is asked belongs to the open
 * file, and some devices answer nobody else.
 */
final class RemoteIoctl {
  private final RemoteProcess process;
  private final RemoteFd fd;

  /** What is asked about, for messages. */
  private final String subject;

  RemoteIoctl(RemoteProcess process, RemoteFd fd, String subject) {
    this.process = process;
    this.fd = fd;
    this.subject = subject;
  }

  /** Calls with a number in the place of an address. */
  long call(String name, long request, long argument) {
    return process.call("ioctl(" + name + ")", subject, Nr.IOCTL, fd.number(), request, argument);
  }

  /** Calls with a number in the place of an address; the result may be minus an errno. */
  long tryCall(long request, long argument) {
    return process.tryCall(Nr.IOCTL, fd.number(), request, argument);
  }

  /** Calls with the address of these bytes, and gives what lies there afterwards. */
  byte[] exchange(String name, long request, byte[] bytes) {
    RemoteAddress scratch = process.scratch();
    process.write(scratch, bytes);
    call(name, request, scratch.value());
    return process.read(scratch, bytes.length);
  }

  /** Reads a number. */
  int number(String name, long request) {
    return intOf(exchange(name, request, new byte[Integer.BYTES]));
  }

  /** Sets a number that stands at an address. */
  void set(String name, long request, int value) {
    exchange(name, request, bytesOf(value));
  }

  /** Sets a number that stands at an address; the result may be minus an errno. */
  long trySet(long request, int value) {
    RemoteAddress scratch = process.scratch();
    process.write(scratch, bytesOf(value));
    return tryCall(request, scratch.value());
  }

  private static byte[] bytesOf(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  private static int intOf(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt();
  }
}
