// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileCloner;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The copy of one file within the folder of a snapshot; all descriptions of the file share it. */
final class DiskCopy {
  /** The folder of a snapshot that copies lie in. */
  static final String FOLDER = "disks";

  private static final int MAX_NAME = 100;

  private final String name;
  private final Path from;
  private final Path to;
  private int holders;
  private boolean made;
  private DiskKeeper.@Nullable Kept keeping;

  /**
   * @param number unique in this snapshot
   * @param link what the file is called
   * @param from where to read it
   * @param folder the folder of the snapshot
   */
  DiskCopy(int number, String link, Path from, Path folder) {
    this.name = FOLDER + "/" + number + "-" + baseName(link);
    this.from = from;
    this.to = folder.resolve(name);
  }

  /** Its path within the folder of the snapshot. */
  String name() {
    return name;
  }

  Path to() {
    return to;
  }

  /** Counts one more description of the file; returns how many there were. */
  int addHolder() {
    return holders++;
  }

  /** How many descriptions the file has. */
  int holders() {
    return holders;
  }

  /** Somebody else makes it, while the target goes on. */
  void isKeptBy(DiskKeeper.Kept kept) {
    keeping = kept;
  }

  /** Makes the copy, the first time; returns how many bytes had to be copied. */
  long make(FileCloner cloner) {
    if (made || keeping != null) {
      return 0;
    }
    made = true;
    return cloner.copy(from, to);
  }

  /**
   * Waits until it is whole.
   *
   * @throws dev.vmckpt.spi.error.FailureException if whoever makes it could not
   */
  void await() {
    if (keeping != null) {
      keeping.await();
    }
  }

  /**
   * The last part of a path, fit to be part of another name. The number in front of a working
   * copy's name goes, or it would grow with every generation.
   */
  static String baseName(String link) {
    String base = link.substring(link.lastIndexOf('/') + 1);
    if (base.endsWith(UnnamedFiles.SUFFIX)) {
      base = base.substring(0, base.length() - UnnamedFiles.SUFFIX.length());
    }
    int digits = 0;
    while (digits < base.length() && base.charAt(digits) >= '0' && base.charAt(digits) <= '9') {
      digits++;
    }
    if (digits > 0 && digits <= 3 && digits + 1 < base.length() && base.charAt(digits) == '-') {
      base = base.substring(digits + 1);
    }
    if (base.length() > MAX_NAME) {
      base = base.substring(0, MAX_NAME);
    }
    return base.isEmpty() ? "file" : base;
  }
}
