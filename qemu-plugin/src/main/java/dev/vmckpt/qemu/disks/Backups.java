// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.vmckpt.qemu.marks.PartName;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.qmp.Subscription;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Keeps disks of a QEMU as they are at one instant, while its guest goes on: QEMU copies whatever
 * the guest is about to write over, and the rest as it gets to it.
 *
 * <p>What is copied is the <em>file</em>, not what a format makes of it: the restored process has
 * tables of qcow2 in its memory that belong to that very layout. The copy is the file of the
 * instant of {@link #begin}, byte for byte.
 *
 * <p>The order: make this while the target runs, {@link #keep} what is to be kept, {@code stop} the
 * guest, which waits for all its I/O, take the pause, {@link #begin}, {@code cont}, {@link
 * #release}, {@link DiskKeeper.Kept#await} for each, {@link #close}. Beginning behind the pause
 * keeps the jobs out of the snapshot; the guest stands still until {@code cont}, so that the
 * instant is the same.
 */
public final class Backups implements DiskKeeper, AutoCloseable {
  private static final AtomicInteger NEXT = new AtomicInteger();

  private final Qmp qmp;
  private final int pid;
  private final FileCloner cloner;
  private final OpenFiles files;
  private final @Nullable BlockGraph graph;
  private final Map<FileKey, BlockNode> nodes;
  private final List<Backup> planned = new CopyOnWriteArrayList<>();
  private final Subscription events;
  private final IntFunction<PartName> names;
  private final Consumer<String> undo;

  /**
   * Looks at what a QEMU has.
   *
   * @param pid its process
   * @param cloner tells where files have data
   * @throws QmpException if it does not answer
   */
  public Backups(Qmp qmp, int pid, FileCloner cloner) {
    this(qmp, pid, cloner, undo -> {});
  }

  /**
   * The same with somebody who can undo it.
   *
   * @param undo is told before anything is begun in QEMU which commands undo all of it, in a line
   */
  public Backups(Qmp qmp, int pid, FileCloner cloner, Consumer<String> undo) {
    this(qmp, pid, cloner, undo, PartName::own);
  }

  /**
   * The same with other names.
   *
   * @param names of a number that is unique in this process
   */
  Backups(Qmp qmp, int pid, FileCloner cloner, Consumer<String> undo, IntFunction<PartName> names) {
    this.qmp = qmp;
    this.undo = undo;
    this.names = names;
    this.pid = pid;
    this.cloner = cloner;
    this.files = OpenFiles.of(pid, qmp);
    this.graph = hasExports(qmp) ? null : BlockGraph.tryRead(qmp);
    this.nodes = graph == null ? Map.of() : keepable(graph, files);
    this.events = qmp.events().listen(this::hear);
  }

  /**
   * The nodes that can be kept, by their files: those that stand for one file each, which no other
   * node stands for, and which nobody but the guest writes to. An export or a job may write while
   * the guest stands still.
   */
  private static Map<FileKey, BlockNode> keepable(BlockGraph graph, OpenFiles files) {
    Map<FileKey, BlockNode> found = new HashMap<>();
    List<FileKey> unfit = new ArrayList<>();
    for (BlockNode node : graph.files()) {
      FileKey key = files.tryFile(node);
      if (key == null) {
        continue;
      }
      if (found.put(key, node) != null || graph.isUsedByJob(node)) {
        unfit.add(key);
      }
    }
    unfit.forEach(found::remove);
    return found;
  }

  private static boolean hasExports(Qmp qmp) {
    try {
      return !qmp.execute("query-block-exports").isEmpty();
    } catch (QmpErrorException e) {
      return true; // before 5.2 it cannot be told
    }
  }

  @Override
  public boolean keeps(FileStat file) {
    return file.isRegular() && nodes.containsKey(FileKey.of(file));
  }

  /**
   * {@inheritDoc}
   *
   * <p>The target runs. The file is made, and QEMU opens it once: it may be somebody who cannot. A
   * file that grows is copied once already, which takes as long as it takes.
   *
   * @throws FailureException if it cannot be kept this way, and why
   */
  @Override
  public Kept keep(FileStat file, Path to) {
    BlockNode node = nodes.get(FileKey.of(file));
    Path from = files.tryPath(FileKey.of(file));
    if (graph == null || node == null || from == null) {
      throw new FailureException("QEMU knows no disk that lies in the file kept as " + to);
    }
    PartName name = names.apply(NEXT.incrementAndGet());
    Backup backup = new Backup(qmp, name, node, from, to.toAbsolutePath(), graph.grows(node));
    boolean fit = false;
    planned.add(backup);
    tellUndo();
    try {
      backup.tryOut(pid);
      backup.copyAhead(cloner);
      fit = true;
    } catch (QmpException e) {
      throw new FailureException("QEMU cannot be asked to keep " + backup.disk(), e);
    } finally {
      if (!fit) {
        undo(List.of(backup), null);
        planned.remove(backup);
        tellUndo();
        NewFile.tryDelete(to);
      }
    }
    return backup;
  }

  private void tellUndo() {
    StringBuilder commands = new StringBuilder();
    for (Backup each : planned) {
      commands.append(each.undoing());
    }
    undo.accept(commands.toString());
  }

  /** Whether anything is planned. */
  public boolean isEmpty() {
    return planned.isEmpty();
  }

  /**
   * Begins all that is planned, as one transaction: this is the instant. The guest stands still, by
   * {@code stop}. They copy next to nothing until they are {@linkplain #release() released}.
   *
   * @throws FailureException if QEMU refuses; nothing is left of it then
   */
  public void begin() {
    if (planned.isEmpty()) {
      return;
    }
    ArrayNode actions = JsonNodeFactory.instance.arrayNode();
    List<Pending<JsonNode>> asked = new ArrayList<>();
    try {
      for (Backup each : planned) {
        asked.addAll(each.prepare(cloner));
        each.addTo(actions);
      }
      Pending<JsonNode> begun = qmp.submit("transaction", args -> args.set("actions", actions));
      for (Pending<JsonNode> each : asked) {
        each.get();
      }
      begun.get();
      for (Backup each : planned) {
        each.begun();
      }
    } catch (QmpException | IOException e) {
      throw undone(
          new FailureException("QEMU cannot begin to keep its disks: " + e.getMessage(), e));
    } catch (FailureException e) {
      throw undone(e);
    }
  }

  private FailureException undone(FailureException failure) {
    undo(planned, failure);
    planned.clear();
    return failure;
  }

  /** Lets them copy as fast as they can; called when the guest runs again. Does not wait. */
  public void release() {
    planned.forEach(Backup::release);
  }

  /** How many bytes were copied by now, holes left out. */
  public long copied() {
    long bytes = 0;
    for (Backup each : planned) {
      bytes += each.copied();
    }
    return bytes;
  }

  private void hear(QmpEvent event) {
    for (Backup each : planned) {
      each.hear(event);
    }
  }

  private void undo(List<Backup> backups, @Nullable FailureException because) {
    List<PartName> made = backups.stream().map(Backup::name).toList();
    try {
      if (qmp.isOpen()) {
        Leftovers.undo(qmp, made::contains);
      }
    } catch (QmpException e) {
      if (because != null) {
        because.addSuppressed(e);
      }
    } finally {
      backups.forEach(Backup::close);
    }
  }

  /**
   * Gives up what is planned or under way, for instance because the snapshot is begun anew: QEMU is
   * as it was before, the files stay. More can be planned then.
   */
  public void giveUp() {
    if (!planned.isEmpty()) {
      undo(planned, null);
      planned.clear();
      tellUndo();
    }
  }

  /** Gives up what has not been awaited. The connection stays. */
  @Override
  public void close() {
    events.close();
    giveUp();
  }
}
