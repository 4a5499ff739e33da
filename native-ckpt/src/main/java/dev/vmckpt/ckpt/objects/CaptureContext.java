// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import java.nio.file.Path;
import java.util.List;

/**
 * What capturing needs besides the resource.
 *
 * @param census what was known before the pause
 * @param folder the folder of the snapshot; files of contents are made in it
 * @param notes is added to: what will not come back as it was, whole sentences
 */
public record CaptureContext(Census census, Path folder, List<String> notes) {
  void note(String message) {
    notes.add(message);
  }
}
