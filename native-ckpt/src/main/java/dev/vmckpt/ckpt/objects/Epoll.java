// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * epoll(7). It watches files, not numbers: a file that was closed under the number it was added
 * with, and lives on under another, cannot be added again, so such a watch is refused.
 */
final class Epoll implements KernelObject<DescriptorImage.Epoll> {
  private static final int EPOLL_CTL_ADD = 1;

  /** struct epoll_event is packed: events 4, data 8. */
  private static final int EVENT_BYTES = 12;

  private static final String WATCH = "tfd:";

  @Override
  public String name() {
    return "epoll";
  }

  @Override
  public String carries() {
    return "with everything it watches";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.Epoll> imageType() {
    return DescriptorImage.Epoll.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    if (!resource.link().equals("anon_inode:[eventpoll]")) {
      return Optional.empty();
    }
    List<DescriptorImage.Epoll.Watch> watches = watches(resource, resource.info());
    String summary = "epoll with " + watches.size() + " watches";
    Refusal refusal = stale(resource, watches);
    return Optional.of(
        refusal == null
            ? Claim.carried(summary)
            : Claim.refused(summary, refusal.why(), refusal.remedy()));
  }

  @Override
  public DescriptorImage.Epoll capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    List<DescriptorImage.Epoll.Watch> watches = watches(resource, now);
    Refusal refusal = stale(resource, watches);
    if (refusal != null) {
      throw new RefusedException("snapshot of " + resource.pid(), List.of(refusal));
    }
    return new DescriptorImage.Epoll(watches);
  }

  @Override
  public RemoteFd restore(DescriptorImage.Epoll image, OpenFileImage file, HuskFiles husk) {
    String name = HuskFiles.name(file);
    RemoteFd fd =
        husk.park(
            husk.process().call("epoll_create1", name, Nr.EPOLL_CREATE1, FileCalls.O_CLOEXEC));
    List<DescriptorImage.Epoll.Watch> early = new ArrayList<>();
    for (DescriptorImage.Epoll.Watch watch : image.watches()) {
      long result = add(fd, watch, husk);
      if (result == -Errno.EBADF) {
        early.add(watch);
      } else if (result < 0) {
        noteLost(name, watch, result, husk);
      }
    }
    if (!early.isEmpty()) {
      // What is watched is another epoll that is not there yet.
      RemoteFd kept = husk.duplicate(fd);
      husk.keep(kept);
      husk.atTheEnd(new Add(name, kept, early));
    }
    return fd;
  }

  private record Add(String name, RemoteFd fd, List<DescriptorImage.Epoll.Watch> watches)
      implements HuskFiles.Later {
    @Override
    public void run(HuskFiles husk) {
      for (DescriptorImage.Epoll.Watch watch : watches) {
        long result = add(fd, watch, husk);
        if (result < 0) {
          noteLost(name, watch, result, husk);
        }
      }
    }
  }

  private static long add(RemoteFd fd, DescriptorImage.Epoll.Watch watch, HuskFiles husk) {
    byte[] event = new byte[EVENT_BYTES];
    for (int i = 0; i < 4; i++) {
      event[i] = (byte) (watch.events() >> (8 * i));
    }
    for (int i = 0; i < 8; i++) {
      event[4 + i] = (byte) (watch.data() >> (8 * i));
    }
    return husk.process()
        .tryCall(Nr.EPOLL_CTL, fd.number(), EPOLL_CTL_ADD, watch.fd(), husk.put(event));
  }

  private static void noteLost(
      String name, DescriptorImage.Epoll.Watch watch, long result, HuskFiles husk) {
    husk.note(
        name
            + ": the epoll does not watch fd:"
            + watch.fd()
            + " any more, which came back as something else: "
            + Errno.describe((int) -result));
  }

  /** {@code tfd: 11 events: 80000019 data: feed0000beef pos:0 ino:406 sdev:10}. */
  private static List<DescriptorImage.Epoll.Watch> watches(
      DescriptorResource resource, FdInfo info) {
    List<DescriptorImage.Epoll.Watch> watches = new ArrayList<>();
    for (String line : info.lines()) {
      if (line.startsWith(WATCH)) {
        watches.add(
            new DescriptorImage.Epoll.Watch(
                InfoLine.decimalBehind(resource, line, WATCH),
                (int) InfoLine.hexBehind(resource, line, "events:"),
                InfoLine.hexBehind(resource, line, "data:")));
      }
    }
    return List.copyOf(watches);
  }

  /** The first watch whose file is not at its number any more, or null. */
  private static @Nullable Refusal stale(
      DescriptorResource resource, List<DescriptorImage.Epoll.Watch> watches) {
    // struct kcmp_epoll_slot: epoll 4, number 4, how many of that number to pass over 4
    NativeBuffer slot = new NativeBuffer(12);
    slot.bytes().putInt(0, resource.fd().number());
    try {
      for (int i = 0; i < watches.size(); i++) {
        int number = watches.get(i).fd();
        int before = 0;
        for (int j = 0; j < i; j++) {
          if (watches.get(j).fd() == number) {
            before++;
          }
        }
        slot.bytes().putInt(4, number);
        slot.bytes().putInt(8, before);
        long order =
            FileCalls.tryCompare(
                resource.pid(), resource.pid(), FileCalls.KCMP_EPOLL_TFD, number, slot.address());
        if (order != 0) {
          return new Refusal(
              resource.name(),
              "it watches a file that is not at fd:"
                  + number
                  + " any more, but still open elsewhere",
              "close it there, or leave the epoll out: --drop " + resource.name());
        }
      }
      return null;
    } finally {
      Reference.reachabilityFence(slot);
    }
  }
}
