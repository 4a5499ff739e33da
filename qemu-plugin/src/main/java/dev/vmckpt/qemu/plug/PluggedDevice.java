// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.plug.Part.Kind;
import dev.vmckpt.qmp.EventQueue;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.qmp.QmpTimeoutException;
import dev.vmckpt.spi.error.FailureException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/**
 * A device and what it is made of.
 *
 * @param id of the device
 * @param parts in the order they are plugged; the device itself is the last
 */
public record PluggedDevice(String id, List<Part> parts) {
  /**
   * Until a guest has let go of a device: milliseconds where ACPI tells it, more than five seconds
   * where a port of PCI Express does, which waits whether somebody changes his mind.
   */
  private static final Duration GUEST = Duration.ofSeconds(15);

  /** Until what the device held is free, which QEMU does when it gets to it. */
  private static final long FREE_NANOS = 3_000_000_000L;

  private static final long LOOK_AGAIN_NANOS = 20_000_000L;

  /** The device itself. */
  Part device() {
    return parts.get(parts.size() - 1);
  }

  /** Whether the machine has it. */
  boolean isThere(Qmp qmp) {
    return device().isThere(qmp);
  }

  /**
   * Plugs it in, if it is not.
   *
   * @param pid the QEMU
   * @throws FailureException if that cannot be done; what was made for it is removed again
   * @throws QmpException if QEMU does not answer
   */
  void plug(int pid, Qmp qmp) {
    List<Part> made = new ArrayList<>();
    boolean done = false;
    try {
      for (Part part : parts) {
        if (!part.isThere(qmp)) {
          awaitBackEnd(part, pid);
          part.plug(qmp);
          made.add(part);
        }
      }
      done = true;
    } catch (QmpErrorException e) {
      throw new FailureException(e.description(), e);
    } finally {
      for (int i = made.size() - 1; i >= 0 && !done; i--) {
        tryRemove(qmp, made.get(i));
      }
    }
  }

  private static void awaitBackEnd(Part part, int pid) {
    String path = part.kind() == Kind.CHARDEV ? part.value("path") : "";
    if (!path.isEmpty() && !Listener.comes(pid, path)) {
      throw new FailureException("nobody listens at " + path);
    }
  }

  private static void tryRemove(Qmp qmp, Part part) {
    try {
      part.unplug(qmp);
    } catch (QmpException e) {
      // It stays, and serves nobody.
    }
  }

  /**
   * Takes it off the machine, and its back end from QEMU.
   *
   * @throws FailureException if the guest does not let go of it, or QEMU of its back end
   * @throws QmpException if QEMU does not answer
   */
  void unplug(Qmp qmp) {
    try (EventQueue events = qmp.events().queue()) {
      device().unplug(qmp);
      awaitGone(events);
    } catch (QmpErrorException e) {
      throw new FailureException("QEMU does not unplug it: " + e.description(), e);
    }
    for (int i = parts.size() - 2; i >= 0; i--) {
      removeFreed(qmp, parts.get(i));
    }
  }

  private void awaitGone(EventQueue events) {
    long deadline = System.nanoTime() + GUEST.toNanos();
    while (true) {
      QmpEvent event;
      try {
        event = events.next(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
      } catch (QmpTimeoutException e) {
        throw new FailureException(
            "the guest did not let go of it within "
                + GUEST.toSeconds()
                + " s, as one without a driver for that does not; QEMU does not take such a request"
                + " back: should it go later, at a reset for example, plug it in again by hand",
            e);
      }
      JsonNode whose = event.data().path("device");
      if (whose.asText().equals(id)) {
        if (event.name().equals("DEVICE_DELETED")) {
          return;
        }
        if (event.name().equals("DEVICE_UNPLUG_GUEST_ERROR")) {
          throw new FailureException("the guest refuses to let go of it");
        }
      }
    }
  }

  private static void removeFreed(Qmp qmp, Part part) {
    long deadline = System.nanoTime() + FREE_NANOS;
    while (true) {
      try {
        part.unplug(qmp);
        return;
      } catch (QmpErrorException e) {
        if (System.nanoTime() > deadline) {
          throw new FailureException(
              "QEMU keeps "
                  + part.kind().name().toLowerCase(Locale.ROOT)
                  + " "
                  + part.id()
                  + ": "
                  + e.description(),
              e);
        }
        LockSupport.parkNanos(LOOK_AGAIN_NANOS);
      }
    }
  }

  /** The same with another value for a key of one of its parts; as it is if there is none. */
  public PluggedDevice with(Kind kind, String id, String key, String value) {
    List<Part> changed = new ArrayList<>();
    for (Part part : parts) {
      boolean wanted = part.kind() == kind && part.id().equals(id);
      changed.add(wanted ? part.with(key, value) : part);
    }
    return new PluggedDevice(this.id, List.copyOf(changed));
  }
}
