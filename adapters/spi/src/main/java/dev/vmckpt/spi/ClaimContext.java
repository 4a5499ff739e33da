// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;

/** What an adapter may use while it claims. */
public interface ClaimContext {
  /** Copies files; here only asked what it can do. */
  FileCloner cloner();

  /** Everything the target has open. */
  List<DescriptorResource> descriptors();
}
