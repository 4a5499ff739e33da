// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;

/**
 * An adapter of devices of which each stands for itself and none has to be brought to rest: a few
 * ioctls tell all there is to know in the pause, and a few more make it again.
 */
abstract class DeviceAdapter implements Adapter {
  /** Reads a device in the pause. */
  abstract Recorded record(DescriptorResource resource, RecordContext context);

  /** Runs through what {@link #record} does, without a device, so that its classes are loaded. */
  abstract void rehearse(DescriptorResource resource);

  /**
   * Makes it again in a husk.
   *
   * @param all everything this adapter recorded
   */
  abstract RemoteFd reattach(Recorded recorded, List<Recorded> all, ReattachContext context);

  @Override
  public final List<Refusal> preflight(List<Recorded> recorded, PreflightContext context) {
    return List.of();
  }

  @Override
  public final Detachment detach(List<DescriptorResource> claimed, DetachContext context) {
    for (DescriptorResource resource : claimed) {
      rehearse(resource);
    }
    return new Resting(this, claimed);
  }

  @Override
  public final Reattachment reattach(List<Recorded> recorded, ReattachContext context) {
    return new Making(this, recorded, context);
  }

  private record Resting(DeviceAdapter adapter, List<DescriptorResource> devices)
      implements Detachment {
    @Override
    public List<Recorded> record(RecordContext context) {
      List<Recorded> all = new ArrayList<>(devices.size());
      for (DescriptorResource device : devices) {
        all.add(adapter.record(device, context));
      }
      return all;
    }

    @Override
    public void resume() {
      // Nothing was brought to rest.
    }
  }

  private record Making(DeviceAdapter adapter, List<Recorded> all, ReattachContext context)
      implements Reattachment {
    @Override
    public Reattached reattach(Recorded recorded) {
      return new Reattached(adapter.reattach(recorded, all, context));
    }
  }
}
