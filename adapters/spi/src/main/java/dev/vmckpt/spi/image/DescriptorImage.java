// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.json.JsonTree;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an open file description is. One record for each kernel object, and one for all adapters.
 */
public sealed interface DescriptorImage {

  /**
   * eventfd(2).
   *
   * @param count the counter, unsigned
   * @param semaphore EFD_SEMAPHORE
   */
  record EventFd(long count, boolean semaphore) implements DescriptorImage {}

  /**
   * timerfd_create(2).
   *
   * @param clock CLOCK_*
   * @param ticks expirations that nobody has read yet
   * @param settimeFlags TFD_TIMER_ABSTIME 1, TFD_TIMER_CANCEL_ON_SET 2
   * @param valueNanos until the next expiration, 0 when it is off
   * @param intervalNanos between expirations, 0 for a single one
   */
  record TimerFd(int clock, long ticks, int settimeFlags, long valueNanos, long intervalNanos)
      implements DescriptorImage {}

  /**
   * signalfd(2).
   *
   * @param mask the signals it reads, bit n-1 for signal n
   */
  record SignalFd(long mask) implements DescriptorImage {}

  /**
   * epoll(7).
   *
   * @param watches what it watches
   */
  record Epoll(List<Watch> watches) implements DescriptorImage {
    /**
     * One watched descriptor.
     *
     * @param fd its number
     * @param events EPOLL*, the input flags included
     * @param data what it reports
     */
    public record Watch(int fd, int events, long data) {}
  }

  /**
   * One end of a pipe(7) whose both ends lie in the set.
   *
   * @param pipe the same number at both ends
   * @param writer whether this is the writing end
   * @param capacity F_GETPIPE_SZ, in bytes; given at the reading end
   * @param packetMode whether what is written stays in packets (O_DIRECT)
   * @param packets the unread contents, packet by packet in packet mode, else in one piece; given
   *     at the reading end
   */
  record Pipe(long pipe, boolean writer, int capacity, boolean packetMode, List<byte[]> packets)
      implements DescriptorImage {}

  /**
   * One end of a pipe whose other end lies outside: it comes back with nobody at the other end.
   *
   * @param writer the target writes into it (it comes back as /dev/null), or reads from it (it
   *     comes back at its end)
   * @param unread of a reading end: what had been written and not read yet, and still comes
   */
  record OutsidePipe(boolean writer, List<byte[]> unread) implements DescriptorImage {}

  /**
   * A named pipe (fifo(7)).
   *
   * @param path where it stands
   */
  record Fifo(String path) implements DescriptorImage {}

  /**
   * One of a pair of connected UNIX sockets, both in the set.
   *
   * @param pair the same number at both ends
   * @param type SOCK_STREAM 1, SOCK_DGRAM 2, SOCK_SEQPACKET 5
   * @param unread what was sent to this one and not read, message by message
   * @param options its options
   * @param readShut whether this end no longer receives
   * @param writeShut whether this end no longer sends
   */
  record SocketPair(
      long pair,
      int type,
      List<byte[]> unread,
      List<SocketOption> options,
      boolean readShut,
      boolean writeShut)
      implements DescriptorImage {}

  /**
   * A socket with no peer: listening, bound, or not yet used.
   *
   * @param domain AF_UNIX 1, AF_INET 2, AF_INET6 10
   * @param type SOCK_STREAM 1, SOCK_DGRAM 2, SOCK_SEQPACKET 5
   * @param protocol IPPROTO_*
   * @param listening whether it accepts
   * @param backlog the second argument of listen(2)
   * @param address struct sockaddr it is bound to, or null
   * @param peer struct sockaddr a datagram socket was connected to, or null
   * @param file who may use a UNIX socket's file, or null if it had none
   * @param options its options
   */
  record Socket(
      int domain,
      int type,
      int protocol,
      boolean listening,
      int backlog,
      byte @Nullable [] address,
      byte @Nullable [] peer,
      @Nullable SocketFile file,
      List<SocketOption> options)
      implements DescriptorImage {}

  /**
   * A socket connected to somebody outside the set: it comes back as one whose peer hung up.
   *
   * @param domain AF_*
   * @param type SOCK_*
   * @param unread what the peer had sent and nobody read, message by message
   * @param peer who it was, for the result
   * @param options its options
   */
  record LostPeer(
      int domain, int type, List<byte[]> unread, String peer, List<SocketOption> options)
      implements DescriptorImage {}

  /**
   * A character device that has no state of its own, or whose state is made anew: /dev/null and
   * friends.
   *
   * @param path where it stands
   */
  record CharDevice(String path) implements DescriptorImage {}

  /**
   * memfd_create(2); its pages lie in a file of their own.
   *
   * @param name the name it was given
   * @param bytes its length
   * @param seals F_GET_SEALS
   * @param pagesFile the path of its contents within the folder of the snapshot; the same for every
   *     open file description of one memfd
   * @param position the file offset of this description
   */
  record MemFd(String name, long bytes, int seals, String pagesFile, long position)
      implements DescriptorImage {}

  /**
   * What the user asked to leave out ({@code --drop fd:N}).
   *
   * @param was what it had been
   */
  record Dropped(String was) implements DescriptorImage {}

  /**
   * A device connection; an adapter carries it.
   *
   * @param adapter the adapter's name
   * @param summary what it is, for people
   * @param state the adapter's own record of it
   */
  record Connection(String adapter, String summary, JsonTree state) implements DescriptorImage {}

  /**
   * One option of setsockopt(2).
   *
   * @param level SOL_*
   * @param name SO_*
   * @param value its bytes
   */
  record SocketOption(int level, int name, byte[] value) {}
}
