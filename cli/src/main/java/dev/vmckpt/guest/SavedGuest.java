// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.GuestReader;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/**
 * The guest that one process of a snapshot ran.
 *
 * @param process that process
 * @param adapter the name of the adapter whose records tell of it
 * @param image the guest
 */
public record SavedGuest(ProcessImage process, String adapter, GuestImage image) {
  /**
   * All guests in a snapshot.
   *
   * @throws dev.vmckpt.spi.error.SnapshotException if an adapter's records do not fit together
   */
  public static List<SavedGuest> of(Manifest manifest) {
    List<SavedGuest> guests = new ArrayList<>();
    for (GuestReader reader : ServiceLoader.load(GuestReader.class)) {
      for (ProcessImage process : manifest.processes()) {
        GuestImage image = reader.read(recorded(process, reader.adapter())).orElse(null);
        if (image != null) {
          guests.add(new SavedGuest(process, reader.adapter(), image));
        }
      }
    }
    return guests;
  }

  private static List<Recorded> recorded(ProcessImage process, String adapter) {
    List<Recorded> recorded = new ArrayList<>();
    for (OpenFileImage file : process.files()) {
      if (file.object() instanceof DescriptorImage.Connection connection
          && connection.adapter().equals(adapter)) {
        recorded.add(
            new Recorded(
                new RemoteFd(file.descriptors().get(0).number()),
                file.statusFlags(),
                connection.summary(),
                connection.state(),
                0));
      }
    }
    return recorded;
  }
}
