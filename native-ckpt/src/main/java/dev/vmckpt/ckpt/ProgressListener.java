// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

/** Is told how far a long piece of work is. Never called inside a pause. */
public interface ProgressListener {
  /**
   * A piece of work begins.
   *
   * @param what a few words, for example {@code writing memory}
   * @param totalBytes its size, or -1 when it is not known
   */
  void begin(String what, long totalBytes);

  /** More of it is done. */
  void advance(long bytes);

  /** Something the user should know now rather than at the end, a whole sentence. */
  void announce(String message);

  /** Hears nothing. */
  ProgressListener SILENT =
      new ProgressListener() {
        @Override
        public void begin(String what, long totalBytes) {}

        @Override
        public void advance(long bytes) {}

        @Override
        public void announce(String message) {}
      };
}
