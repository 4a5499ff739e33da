// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import java.nio.file.Path;
import java.util.List;

/** Tells which processes map a file or hold it open. */
@FunctionalInterface
public interface FileUsers {
  /** Their pids; empty when there are none. */
  List<Integer> of(Path file);
}
