// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.ThreadCall;
import dev.vmckpt.spi.setup.SetupListener;
import dev.vmckpt.spi.setup.SetupProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Hears virtual machines being set up, and keeps for each process what it set and KVM does not tell
 * back.
 *
 * <p>A machine counts as set up when each of its vcpus has entered KVM_RUN and for a while nothing
 * more came that would be kept. Where the interrupt controller lies in the monitor, a second vcpu
 * is not run before the guest wakes it: then one that runs, and five times the silence, will do.
 */
public final class KvmSetup implements SetupListener {
  private static final int LONGER = 5;

  private final Map<Integer, ProcessSetup> processes = new LinkedHashMap<>();
  private long lastHeard = System.nanoTime();

  @Override
  public String name() {
    return "kvm";
  }

  @Override
  public Set<Integer> calls() {
    return Set.of(Nr.IOCTL, Nr.DUP, Nr.DUP2, Nr.DUP3, Nr.FCNTL);
  }

  @Override
  public boolean entering(SetupProcess process, ThreadCall call) {
    ProcessSetup known = processes.get(process.pid());
    if (known == null) {
      return call.number() == Nr.IOCTL && KvmCall.of(call.arguments().get(1)) == KvmCall.CREATE_VM;
    }
    ProcessSetup.Interest interest = known.entering(call);
    if (interest == ProcessSetup.Interest.FIRST_RUN) {
      lastHeard = System.nanoTime();
    }
    return interest == ProcessSetup.Interest.RESULT;
  }

  @Override
  public void left(SetupProcess process, ThreadCall call) {
    if (call.result() < 0) {
      return;
    }
    ProcessSetup known = processes.get(process.pid());
    if (known == null) {
      known = new ProcessSetup(process);
      processes.put(process.pid(), known);
    }
    if (known.left(call)) {
      lastHeard = System.nanoTime();
    }
  }

  @Override
  public void ended(int pid) {
    processes.remove(pid);
  }

  @Override
  public boolean heard() {
    for (ProcessSetup process : processes.values()) {
      if (!process.machines().isEmpty()) {
        return true;
      }
    }
    return false;
  }

  @Override
  public boolean settled(Duration quiet) {
    boolean some = false;
    boolean whole = true;
    for (ProcessSetup process : processes.values()) {
      for (MachineSetup machine : process.machines()) {
        if (!machine.runs()) {
          return false;
        }
        some = true;
        whole &= machine.runsWhole();
      }
    }
    long silence = System.nanoTime() - lastHeard;
    return some && silence >= quiet.toNanos() * (whole ? 1 : LONGER);
  }

  @Override
  public List<Kept> keep(boolean settled) {
    List<Kept> kept = new ArrayList<>();
    @Nullable VmckptException failure = null;
    for (ProcessSetup process : processes.values()) {
      Optional<SetupImage> image = process.image(settled);
      if (image.isEmpty()) {
        continue;
      }
      try {
        SetupFile.write(process.pid(), image.get());
        kept.add(new Kept(process.pid(), inWords(image.get())));
      } catch (VmckptException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
    return kept;
  }

  private static String inWords(SetupImage image) {
    int vcpus = 0;
    int calls = 0;
    int slots = 0;
    for (SetupImage.Machine machine : image.machines()) {
      vcpus += machine.vcpus().size();
      calls += machine.calls().size();
      slots += machine.slots().size();
    }
    String whole = image.settled() ? "" : ", perhaps not all of it";
    return vcpus + " vcpus, " + slots + " memory slots, " + calls + " settings" + whole;
  }
}
