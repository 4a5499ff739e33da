// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

/** The guest left alone: how long it is silent without anybody's doing. */
final class Idle implements Method {
  private static final long WATCHED_MILLIS = 3000;

  @Override
  public String name() {
    return "nothing";
  }

  @Override
  public void round(Bench bench, Samples samples) {
    try (Guest guest = Guest.boot(bench, Load.linux(1024, 512))) {
      bench.quiet(samples, guest.process());
      long begun = System.nanoTime();
      Processes.sleep(WATCHED_MILLIS);
      samples.add(name(), guest.console().longestSilence(begun, System.nanoTime()));
    }
  }
}
