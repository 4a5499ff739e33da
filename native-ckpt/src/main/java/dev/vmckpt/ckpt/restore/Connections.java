// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.restore;

import dev.vmckpt.ckpt.snapshot.AdapterSet;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.OpenFileImage;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** What each adapter recorded in a snapshot. */
final class Connections {
  private Connections() {}

  /**
   * By the name of the adapter, in the adapters' order; those that recorded nothing have an empty
   * list.
   *
   * @throws SnapshotException if one of them is not installed here
   */
  static Map<String, List<Recorded>> of(List<OpenFileImage> files, AdapterSet adapters) {
    Map<String, List<Recorded>> all = new LinkedHashMap<>();
    for (Adapter adapter : adapters.ordered()) {
      all.put(adapter.name(), new ArrayList<>());
    }
    for (OpenFileImage file : files) {
      if (file.object() instanceof DescriptorImage.Connection connection) {
        if (adapters.byName(connection.adapter()) == null) {
          throw new SnapshotException(
              SnapshotException.Fault.TOO_NEW,
              "the snapshot needs an adapter named '"
                  + connection.adapter()
                  + "', which is not installed here");
        }
        Objects.requireNonNull(all.get(connection.adapter())).add(recorded(file, connection));
      }
    }
    return all;
  }

  static Recorded recorded(OpenFileImage file, DescriptorImage.Connection connection) {
    return new Recorded(
        new RemoteFd(file.descriptors().get(0).number()),
        file.statusFlags(),
        connection.summary(),
        connection.state(),
        0);
  }
}
