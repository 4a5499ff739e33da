// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.util.Optional;

/**
 * timerfd_create(2). fdinfo tells what is left until the next expiration, for absolute timers as
 * well. A periodic timer whose expiration nobody has read stands still: nothing is left, and it
 * goes on from the time of the restore.
 */
final class TimerFd implements KernelObject<DescriptorImage.TimerFd> {
  private static final int TFD_IOC_SET_TICKS = 0x40085400;
  private static final int TFD_TIMER_ABSTIME = 1;
  private static final long SECOND = 1_000_000_000L;

  @Override
  public String name() {
    return "timerfd";
  }

  @Override
  public String carries() {
    return "with what is left of it and the ticks nobody has read";
  }

  @Override
  public boolean changed() {
    return false;
  }

  @Override
  public Class<DescriptorImage.TimerFd> imageType() {
    return DescriptorImage.TimerFd.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, Census census) {
    return resource.link().equals("anon_inode:[timerfd]")
        ? Optional.of(Claim.carried("timer"))
        : Optional.empty();
  }

  @Override
  public DescriptorImage.TimerFd capture(
      DescriptorResource resource, FdInfo now, CaptureContext context) {
    return new DescriptorImage.TimerFd(
        (int) InfoLine.decimal(resource, now, "clockid"),
        InfoLine.decimal(resource, now, "ticks"),
        InfoLine.octal(resource, now, "settime flags"),
        InfoLine.nanos(resource, now, "it_value"),
        InfoLine.nanos(resource, now, "it_interval"));
  }

  @Override
  public RemoteFd restore(DescriptorImage.TimerFd image, OpenFileImage file, HuskFiles husk) {
    RemoteProcess process = husk.process();
    String name = HuskFiles.name(file);
    RemoteFd fd =
        husk.park(
            process.call(
                "timerfd_create", name, Nr.TIMERFD_CREATE, image.clock(), FileCalls.O_CLOEXEC));
    long value = image.valueNanos() == 0 ? image.intervalNanos() : image.valueNanos();
    if (value != 0) {
      // What was set as a time of day has to follow the clock when somebody sets that.
      long due =
          (image.settimeFlags() & TFD_TIMER_ABSTIME) == 0 ? value : now(image, husk, name) + value;
      byte[] spec =
          LittleEndian.bytesOf(
              image.intervalNanos() / SECOND,
              image.intervalNanos() % SECOND,
              due / SECOND,
              due % SECOND);
      process.call(
          "timerfd_settime",
          name,
          Nr.TIMERFD_SETTIME,
          fd.number(),
          image.settimeFlags(),
          husk.put(spec),
          0);
    }
    if (image.ticks() != 0) {
      long ticks = husk.put(LittleEndian.bytesOf(image.ticks()));
      long result = process.tryCall(Nr.IOCTL, fd.number(), TFD_IOC_SET_TICKS, ticks);
      if (result < 0) {
        husk.note(
            name
                + ": "
                + image.ticks()
                + " unread ticks of a timer are lost: "
                + Errno.describe((int) -result));
      }
    }
    return fd;
  }

  private static long now(DescriptorImage.TimerFd image, HuskFiles husk, String name) {
    RemoteProcess process = husk.process();
    long place = process.scratch().value();
    process.call("clock_gettime", name, Nr.CLOCK_GETTIME, image.clock(), place);
    byte[] time = process.read(process.scratch(), 16);
    return LittleEndian.longAt(time, 0) * SECOND + LittleEndian.longAt(time, 8);
  }
}
