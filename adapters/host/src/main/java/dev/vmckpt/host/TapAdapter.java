// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Carries;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Carries tap and tun devices. A device that outlived the target is taken up again as it stands;
 * one that went with it is made anew, with its address, in its bridge. What was on its way in it is
 * lost, as on any network.
 */
public final class TapAdapter extends DeviceAdapter {
  /** {@code --reattach tap:OLD=NEW}: every queue of a device. */
  private static final String KEY = "tap:";

  private static final String DEVICE = "/dev/net/tun";
  private static final int MISC_MAJOR = 10;
  private static final int TUN_MINOR = 200;

  // linux/if_tun.h
  private static final int TUNSETIFF = 0x400454ca;
  private static final int TUNSETPERSIST = 0x400454cb;
  private static final int TUNSETOFFLOAD = 0x400454d0;
  private static final int TUNGETIFF = 0x800454d2;
  private static final int TUNGETSNDBUF = 0x800454d3;
  private static final int TUNSETSNDBUF = 0x400454d4;
  private static final int TUNGETVNETHDRSZ = 0x800454d7;
  private static final int TUNSETVNETHDRSZ = 0x400454d8;
  private static final int TUNSETQUEUE = 0x400454d9;
  private static final int TUNSETVNETLE = 0x400454dc;
  private static final int TUNGETVNETLE = 0x800454dd;
  private static final int IFF_PERSIST = 0x0800;
  private static final int IFF_MULTI_QUEUE = 0x0100;
  private static final int IFF_DETACH_QUEUE = 0x0400;
  private static final int IFF_VNET_HDR = 0x4000;

  /** What a device is made with: kind, header, queues; the rest is state. */
  private static final int MADE_WITH = 0x0001 | 0x0002 | 0x0010 | 0x0020 | 0x1000 | 0x6000 | 0x0100;

  private static final int PATIENCE = 20;
  private static final int PAUSE_MILLIS = 25;

  private static final int SIOCSIFHWADDR = 0x8924;
  private static final int SIOCGIFHWADDR = 0x8927;
  private static final int EBADFD = 77;

  /** TUN_F_CSUM, TSO4, TSO6, TSO_ECN, and USO4 with USO6: what the features of that order allow. */
  private static final int[] OFFLOADS = {1, 2, 4, 8, 0x60};

  private static final String[] FEATURES = {
    "tx-checksum-ip-generic",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-udp-segmentation"
  };

  /**
   * What is recorded of one queue of a device.
   *
   * @param name of the device; empty for a descriptor that is no device's yet
   * @param kind IFF_* as TUNGETIFF tells them
   * @param flags how it was open
   * @param headerBytes the length of the virtio header before each packet
   * @param littleEndian whether that header is
   * @param sendBuffer its limit
   * @param offloads TUN_F_*: what packets the target is ready to take
   * @param address struct sockaddr: the hardware address of the host's end
   * @param up whether it was up
   * @param mtu its longest packet
   * @param bridge the bridge it was in, or empty
   */
  record Tap(
      String name,
      int kind,
      int flags,
      int headerBytes,
      boolean littleEndian,
      int sendBuffer,
      int offloads,
      byte[] address,
      boolean up,
      int mtu,
      String bridge) {
    boolean isPersistent() {
      return (kind & IFF_PERSIST) != 0;
    }
  }

  @Override
  public String name() {
    return "tap";
  }

  @Override
  public List<Carries> carries() {
    return List.of(
        new Carries(
            "tap or tun device",
            "the same, or made again with its address and in its bridge; `--reattach tap:OLD=NEW`",
            false));
  }

  @Override
  public Optional<Claim> claim(DescriptorResource resource, ClaimContext context) {
    if (!resource.stat().isCharDevice()
        || resource.stat().major() != MISC_MAJOR
        || resource.stat().minor() != TUN_MINOR) {
      return Optional.empty();
    }
    String device = resource.info().value("iff");
    return Optional.of(
        Claim.carried(
            device == null || device.isEmpty() || device.contains("detached")
                ? "of no tap device yet"
                : "tap device " + device));
  }

  @Override
  void rehearse(DescriptorResource resource) {
    recorded(resource, new Tap("", 0, 0, 0, false, 0, 0, new byte[0], false, 0, ""));
    NetworkDevice.name(NetworkDevice.request("lo", 0));
    bridge("lo", 1);
  }

  @Override
  Recorded record(DescriptorResource resource, RecordContext context) {
    RemoteProcess target = context.target();
    RemoteIoctl queue = new RemoteIoctl(target, resource.fd(), resource.name());
    int flags = OpenFlags.recorded(context.infoNow(resource).flags());
    byte[] request;
    try {
      request = queue.exchange("TUNGETIFF", TUNGETIFF, new byte[NetworkDevice.REQUEST_BYTES]);
    } catch (SyscallException e) {
      if (e.errno() != EBADFD) {
        throw e;
      }
      return recorded(resource, new Tap("", 0, flags, 0, false, 0, 0, new byte[0], false, 0, ""));
    }
    String name = NetworkDevice.name(request);
    int kind =
        (request[NetworkDevice.NAME_BYTES] & 0xff)
            | (request[NetworkDevice.NAME_BYTES + 1] & 0xff) << 8;
    byte[] address =
        NetworkDevice.hardwareAddress(
            queue.exchange("SIOCGIFHWADDR", SIOCGIFHWADDR, new byte[NetworkDevice.REQUEST_BYTES]));
    int offloads = 0;
    boolean up;
    int mtu;
    String bridge;
    try (NetworkDevice device = new NetworkDevice(target, name)) {
      int on = device.features(FEATURES);
      for (int i = 0; i < OFFLOADS.length; i++) {
        offloads |= (on >>> i & 1) != 0 ? OFFLOADS[i] : 0;
      }
      up = (device.flags() & NetworkDevice.UP) != 0;
      mtu = device.mtu();
      bridge = bridge(name, device.tryIndex());
    }
    return recorded(
        resource,
        new Tap(
            name,
            kind,
            flags,
            queue.number("TUNGETVNETHDRSZ", TUNGETVNETHDRSZ),
            queue.number("TUNGETVNETLE", TUNGETVNETLE) != 0,
            queue.number("TUNGETSNDBUF", TUNGETSNDBUF),
            offloads,
            address,
            up,
            mtu,
            bridge));
  }

  private static Recorded recorded(DescriptorResource resource, Tap state) {
    return new Recorded(
        resource.fd(),
        state.flags(),
        state.name().isEmpty() ? DEVICE : "tap device " + state.name(),
        RecordJson.toTree(state),
        0);
  }

  /** The bridge a device is in, as far as our /sys is of its network namespace; else empty. */
  private static String bridge(String name, long index) {
    Path device = Path.of("/sys/class/net", name);
    try {
      if (!Files.readString(device.resolve("ifindex")).strip().equals("" + index)) {
        return "";
      }
      Path master = device.resolve("master");
      return Files.exists(master) && Files.exists(device.resolve("brport"))
          ? String.valueOf(master.toRealPath().getFileName())
          : "";
    } catch (IOException e) {
      return "";
    }
  }

  @Override
  RemoteFd reattach(Recorded recorded, List<Recorded> all, ReattachContext context) {
    Tap was = read(recorded);
    if (was.name().isEmpty()) {
      was = restingQueue(was, all);
    }
    HuskOpener husk = new HuskOpener(context, recorded.fd());
    RemoteFd fd = husk.open(DEVICE, OpenFlags.again(was.flags()), 0);
    if (was.name().isEmpty()) {
      return fd;
    }
    String instead = context.reattach().get(recorded.fd().toString());
    if (instead == null) {
      instead = context.reattach().getOrDefault(KEY + was.name(), was.name());
    }
    RemoteIoctl queue = new RemoteIoctl(context.husk(), fd, recorded.fd() + " " + instead);
    try (NetworkDevice device = new NetworkDevice(context.husk(), instead)) {
      boolean missing = NetworkDevice.isMissing(device.tryIndex());
      long result = tryAttach(instead, was, queue, context);
      for (int i = 0; result == -Errno.EBUSY && i < PATIENCE; i++) {
        // A killed process keeps its devices until the last of its threads has gone.
        pause();
        missing = NetworkDevice.isMissing(device.tryIndex());
        result = tryAttach(instead, was, queue, context);
      }
      check(result, instead, was, husk);
      set(was, queue);
      if (missing) {
        furnish(device, instead, was, queue, husk);
      } else if ((device.flags() & NetworkDevice.UP) == 0) {
        husk.note(instead, "is down: ip link set " + instead + " up");
      }
    }
    return fd;
  }

  private static Tap read(Recorded recorded) {
    return RecordJson.fromTree(recorded.state(), Tap.class, "the record of " + recorded.fd());
  }

  /**
   * A queue that its guest does not use does not tell whose it is, no more than a descriptor that
   * never was a device's. Beside a device with several queues it is one of that device's.
   */
  private static Tap restingQueue(Tap unknown, List<Recorded> all) {
    Tap owner = null;
    for (Recorded each : all) {
      Tap other = read(each);
      if ((other.kind() & IFF_MULTI_QUEUE) == 0
          || (owner != null && owner.name().equals(other.name()))) {
        continue;
      }
      if (owner != null) {
        return unknown;
      }
      owner = other;
    }
    return owner == null
        ? unknown
        : new Tap(
            owner.name(),
            owner.kind() | IFF_DETACH_QUEUE,
            unknown.flags(),
            owner.headerBytes(),
            owner.littleEndian(),
            owner.sendBuffer(),
            owner.offloads(),
            owner.address(),
            owner.up(),
            owner.mtu(),
            owner.bridge());
  }

  private static long tryAttach(String name, Tap was, RemoteIoctl queue, ReattachContext context) {
    byte[] request = NetworkDevice.request(name, was.kind() & MADE_WITH);
    context.husk().write(context.husk().scratch(), request);
    return queue.tryCall(TUNSETIFF, context.husk().scratch().value());
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void check(long result, String name, Tap was, HuskOpener husk) {
    String remedy = "--reattach " + KEY + was.name() + "=ANOTHER-TAP";
    if (result == -Errno.EBUSY) {
      throw husk.refused(name, "somebody else has this device", "end them, or " + remedy);
    }
    if (result == -Errno.EINVAL) {
      throw husk.refused(
          name,
          "it is no tap device, or not one like "
              + was.name()
              + ((was.kind() & IFF_MULTI_QUEUE) != 0 ? ", which has several queues" : ""),
          remedy);
    }
    if (result == -Errno.EPERM) {
      throw husk.refused(
          name,
          "you may not make or use it",
          "have it made for you (ip tuntap add " + name + " mode tap user YOU), or " + remedy);
    }
    if (result < 0) {
      throw new SyscallException("ioctl(TUNSETIFF)", (int) -result, "tap device " + name);
    }
  }

  /** What belongs to the target's end. */
  private static void set(Tap was, RemoteIoctl queue) {
    if ((was.kind() & IFF_VNET_HDR) != 0) {
      queue.set("TUNSETVNETHDRSZ", TUNSETVNETHDRSZ, was.headerBytes());
      queue.set("TUNSETVNETLE", TUNSETVNETLE, was.littleEndian() ? 1 : 0);
    }
    queue.set("TUNSETSNDBUF", TUNSETSNDBUF, was.sendBuffer());
    queue.call("TUNSETOFFLOAD", TUNSETOFFLOAD, was.offloads());
    if ((was.kind() & IFF_DETACH_QUEUE) != 0) {
      queue.exchange("TUNSETQUEUE", TUNSETQUEUE, NetworkDevice.request("", IFF_DETACH_QUEUE));
    }
  }

  /** What the host had given the device, and lost with it. */
  private static void furnish(
      NetworkDevice device, String name, Tap was, RemoteIoctl queue, HuskOpener husk) {
    queue.exchange("SIOCSIFHWADDR", SIOCSIFHWADDR, NetworkDevice.request(name, was.address()));
    if (was.isPersistent()) {
      queue.call("TUNSETPERSIST", TUNSETPERSIST, 1);
    }
    if (device.mtu() != was.mtu() && device.trySetMtu(was.mtu()) < 0) {
      husk.note(name, "could not be given its MTU of " + was.mtu());
    }
    String bridge = was.bridge();
    if (!bridge.isEmpty() && device.tryJoin(bridge) < 0) {
      husk.note(
          name,
          "could not be put into the bridge "
              + bridge
              + ": ip link set "
              + name
              + " master BRIDGE");
    }
    if (was.up()) {
      device.trySetFlags(device.flags() | NetworkDevice.UP);
    }
    husk.note(
        name,
        bridge.isEmpty()
            ? "was made anew; its addresses and routes are for you to give"
            : "was made anew");
  }
}
