// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import dev.vmckpt.spi.error.SyscallException;
import java.lang.ref.Reference;

/**
 * Starts a process that can be traced. {@link ProcessBuilder} will not do: the JVM's own reaper
 * would take the ptrace stops of its children.
 */
public final class Spawn {
  static {
    Native.register(Spawn.class, NativeLibrary.getInstance("libc.so.6"));
  }

  /** The size of posix_spawnattr_t in the GNU C library, 336 bytes, with room to spare. */
  private static final int ATTRIBUTES_BYTES = 512;

  /** The size of posix_spawn_file_actions_t, 80 bytes, with room to spare. */
  private static final int ACTIONS_BYTES = 256;

  private static final short SETSIGMASK = 8;
  private static final short SETSID = 0x80;

  private Spawn() {}

  private static native int posix_spawn(
      long pid, long path, long actions, long attributes, long arguments, long environment);

  private static native int posix_spawn_file_actions_init(long actions);

  private static native int posix_spawn_file_actions_adddup2(long actions, int from, int to);

  private static native int posix_spawn_file_actions_destroy(long actions);

  private static native int posix_spawnattr_init(long attributes);

  private static native int posix_spawnattr_setflags(long attributes, short flags);

  private static native int posix_spawnattr_setsigmask(long attributes, long mask);

  /**
   * Starts a program in a session of its own, with no signal blocked, an empty environment and our
   * descriptors that are not close-on-exec.
   *
   * @param arguments the program's path and its arguments
   * @return its process id; it is our child and must be waited for
   */
  public static int start(String... arguments) {
    return start((short) (SETSIGMASK | SETSID), 0, arguments);
  }

  /**
   * Starts a program in our own session and process group, with every signal blocked; otherwise as
   * {@link #start(String...)}.
   */
  public static int startBeside(String... arguments) {
    return start(SETSIGMASK, ~0L, arguments);
  }

  /**
   * Starts a program as {@link #start(String...)} does, with some descriptors of ours.
   *
   * @param from their numbers here, above those they get there
   * @param first the number there of the first; the others follow it
   */
  public static int startWith(int[] from, int first, String... arguments) {
    NativeBuffer actions = new NativeBuffer(ACTIONS_BYTES);
    posix_spawn_file_actions_init(actions.address());
    try {
      for (int i = 0; i < from.length; i++) {
        posix_spawn_file_actions_adddup2(actions.address(), from[i], first + i);
      }
      return start((short) (SETSIGMASK | SETSID), 0, actions.address(), arguments);
    } finally {
      posix_spawn_file_actions_destroy(actions.address());
      Reference.reachabilityFence(actions);
    }
  }

  private static int start(short flags, long mask, String... arguments) {
    return start(flags, mask, 0, arguments);
  }

  private static int start(short flags, long mask, long actions, String... arguments) {
    NativeBuffer attributes = new NativeBuffer(ATTRIBUTES_BYTES);
    // sigset_t of the GNU C library has 1024 bits.
    NativeBuffer blocked = new NativeBuffer(128);
    blocked.bytes().putLong(0, mask);
    posix_spawnattr_init(attributes.address());
    posix_spawnattr_setflags(attributes.address(), flags);
    posix_spawnattr_setsigmask(attributes.address(), blocked.address());
    NativeBuffer[] texts = new NativeBuffer[arguments.length];
    NativeBuffer vector = new NativeBuffer((arguments.length + 1) * Long.BYTES);
    for (int i = 0; i < arguments.length; i++) {
      texts[i] = NativeBuffer.ofText(arguments[i]);
      vector.bytes().putLong(i * Long.BYTES, texts[i].address());
    }
    NativeBuffer environment = new NativeBuffer(Long.BYTES);
    NativeBuffer pid = new NativeBuffer(Integer.BYTES);
    try {
      int error =
          posix_spawn(
              pid.address(),
              texts[0].address(),
              actions,
              attributes.address(),
              vector.address(),
              environment.address());
      if (error != 0) {
        throw new SyscallException("posix_spawn", error, arguments[0]);
      }
    } finally {
      Reference.reachabilityFence(texts);
      Reference.reachabilityFence(blocked);
    }
    return pid.bytes().getInt(0);
  }
}
