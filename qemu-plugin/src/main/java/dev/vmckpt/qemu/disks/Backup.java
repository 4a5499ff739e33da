// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vmckpt.qemu.marks.PartName;
import dev.vmckpt.qmp.Pending;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpEvent;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The backup of one file: a {@code blockdev-backup} of its node to a new file. There are two ways.
 *
 * <p><b>A file of one length</b>, that is of a raw disk, is copied from the instant on: QEMU copies
 * away what the guest is about to write over. It copies to a quorum of two, of which one is enough:
 * the new file, and {@code null-co}, which takes everything. In QEMU 7.2 a guest's write fails if
 * what was there before cannot be copied away first ({@code on-cbw-error=break-guest-write} of the
 * filter that blockdev-backup puts over the node, which it lets nobody change), for instance
 * because the target's file system is full. With the quorum it cannot fail: the event
 * QUORUM_REPORT_BAD says that the copy is lost, and the guest has noticed nothing. What stays: a
 * guest's write to 64 KiB of which QEMU cannot <em>read</em> the rest fails while a backup runs.
 *
 * <p><b>A file that grows</b>, of qcow2 and the like, is copied up to the instant: once while the
 * guest runs, and QEMU notes in a bitmap what is written meanwhile; that much is copied again, by a
 * backup of the bitmap, while the guest stands still. It must stand still: a write behind the end
 * of a node that is being backed up ends all of QEMU since 7.0 (hbitmap_set: Assertion `last &lt;
 * hb-&gt;size', by the {@code done_bitmap} of the filter, which grows only after the write; seen in
 * 7.2.22).
 */
final class Backup implements DiskKeeper.Kept {
  private static final int SECTOR = 512;

  /** How long a job may go without copying anything before it is given up. */
  private static final int STALLED_SECONDS = 300;

  private static final int LOOK_SECONDS = 5;

  private final Qmp qmp;
  private final PartName name;
  private final BlockNode node;
  private final Path from;
  private final Path to;
  private final Path map;
  private final boolean grows;
  private final CompletableFuture<String> end = new CompletableFuture<>();
  private @Nullable FileChannel channel;
  private long length;
  private boolean begun;

  /**
   * @param node what is backed up
   * @param from where it can be read, {@code /proc/PID/fd/N}
   * @param to a new file, absolute
   * @param grows whether it may become longer by what the guest writes
   */
  Backup(Qmp qmp, PartName name, BlockNode node, Path from, Path to, boolean grows) {
    this.grows = grows;
    this.qmp = qmp;
    this.name = name;
    this.node = node;
    this.from = from;
    this.to = to;
    this.map = to.resolveSibling("." + to.getFileName() + ".map");
  }

  PartName name() {
    return name;
  }

  /** The disk, for people. */
  String disk() {
    String file = OpenFiles.tryFileName(node.file());
    return file == null ? node.name() : file;
  }

  /** Makes the new file, empty and for nobody else, and lets QEMU open and close it once. */
  void tryOut(int pid) {
    try {
      channel = NewFile.create(to);
      qmp.execute("blockdev-add", args -> file(args, name.file()));
      boolean same = NewFile.isOpenIn(pid, to);
      qmp.execute("blockdev-del", args -> args.put("node-name", name.file()));
      if (!same) {
        throw new FailureException("QEMU finds another file at " + to + " than vmckpt");
      }
    } catch (IOException | QmpErrorException e) {
      throw new FailureException("QEMU cannot write to " + to + ": " + words(e), e);
    }
  }

  /** Copies what can be copied before the instant; the guest runs. */
  void copyAhead(FileCloner cloner) {
    if (!grows) {
      return;
    }
    qmp.execute(
        "block-dirty-bitmap-add", args -> bitmap(args).put("granularity", BitmapImage.GRANULARITY));
    try {
      // Behind the answer, so that no write is missed.
      NewFile.fill(opened(), from, cloner.dataRanges(from));
    } catch (IOException e) {
      throw new FailureException(disk() + " cannot be copied to " + to + ": " + words(e), e);
    }
  }

  /** The commands that end it and take away all it has in QEMU; those that find nothing fail. */
  String undoing() {
    return command("job-cancel", args -> args.put("id", name.job()))
        + command("job-dismiss", args -> args.put("id", name.job()))
        + command("blockdev-del", args -> args.put("node-name", name.target()))
        + command("blockdev-del", args -> args.put("node-name", name.file()))
        + command("blockdev-del", args -> args.put("node-name", name.map()))
        + command("block-dirty-bitmap-remove", this::bitmap);
  }

  private static String command(String word, Consumer<ObjectNode> arguments) {
    ObjectNode command = JsonNodeFactory.instance.objectNode().put("execute", word);
    arguments.accept(command.putObject("arguments"));
    return command + " ";
  }

  private ObjectNode bitmap(ObjectNode args) {
    return args.put("node", node.name()).put("name", name.job());
  }

  private void file(ObjectNode args, String nodeName) {
    args.put("driver", "file").put("node-name", nodeName).put("filename", to.toString());
  }

  /**
   * Gives the new file its length, and QEMU what the job needs; the guest stands still.
   *
   * @return what QEMU was asked for
   */
  List<Pending<JsonNode>> prepare(FileCloner cloner) throws IOException {
    length = Files.size(from);
    if (length == 0) {
      end.complete("");
      return List.of(); // nothing to be copied, and QEMU makes no bitmap of it
    }
    NewFile.setLength(to, length);
    List<Pending<JsonNode>> asked = new ArrayList<>();
    if (!grows) {
      new BitmapImage(name.job(), length, cloner.dataRanges(from)).write(map);
      asked.add(qmp.submit("blockdev-add", this::map));
    }
    asked.add(qmp.submit("blockdev-add", this::target));
    return asked;
  }

  private void map(ObjectNode args) {
    args.put("driver", "qcow2").put("node-name", name.map()).put("read-only", true);
    ObjectNode file = args.putObject("file");
    file.put("driver", "file").put("filename", map.toString()).put("read-only", true);
  }

  private void target(ObjectNode args) {
    args.put("driver", "quorum").put("node-name", name.target()).put("vote-threshold", 1);
    ArrayNode children = args.putArray("children");
    file(children.addObject(), name.file());
    long sectors = BitmapImage.roundUp(length, SECTOR);
    children.addObject().put("driver", "null-co").put("size", sectors);
  }

  /**
   * Adds what begins it to a transaction. What goes on while the guest runs begins slowly, with one
   * chunk of a mebibyte: at full speed the guest's {@code cont} would wait behind the first
   * sixty-four of them.
   */
  void addTo(ArrayNode actions) {
    if (length == 0) {
      return;
    }
    if (!grows) {
      bitmap(data(actions, "block-dirty-bitmap-add"))
          .put("granularity", BitmapImage.GRANULARITY)
          .put("disabled", true);
      ObjectNode merge = data(actions, "block-dirty-bitmap-merge");
      merge.put("node", node.name()).put("target", name.job());
      merge.putArray("bitmaps").addObject().put("node", name.map()).put("name", name.job());
    }
    ObjectNode job = data(actions, "blockdev-backup");
    job.put("job-id", name.job()).put("device", node.name()).put("target", name.target());
    job.put("sync", "bitmap").put("bitmap", name.job()).put("bitmap-mode", "never");
    job.put("auto-dismiss", false).put("speed", grows ? 0 : 1);
  }

  private static ObjectNode data(ArrayNode actions, String type) {
    return actions.addObject().put("type", type).putObject("data");
  }

  /**
   * It has begun. Waits for one that may not go on while the guest runs.
   *
   * @throws FailureException if that one failed
   */
  void begun() {
    begun = true;
    if (!grows) {
      unmap();
      return;
    }
    String error = awaitEnd();
    if (error.isEmpty() && length > 0) {
      error = jobError();
    }
    if (!error.isEmpty()) {
      throw failed(error, null);
    }
  }

  private void unmap() {
    try {
      qmp.submit("blockdev-del", args -> args.put("node-name", name.map()));
      Files.deleteIfExists(map);
    } catch (QmpException | IOException e) {
      // It stays in the folder of a snapshot that fails, and goes with it.
    }
  }

  /** Lets it copy as fast as it can. */
  void release() {
    if (!end.isDone()) {
      qmp.submit("block-job-set-speed", args -> args.put("device", name.job()).put("speed", 0));
    }
  }

  /** Hears what QEMU says; on the connection's reader, must not wait. */
  void hear(QmpEvent event) {
    if (Leftovers.isEnd(event, name.job())) {
      end.complete("");
    } else if (event.name().equals("QUORUM_REPORT_BAD")
        && event.data().path("node-name").asText().equals(name.file())) {
      end.complete(event.data().path("error").asText("its writing failed"));
    }
  }

  @Override
  public void await() {
    if (!begun) {
      throw new IllegalStateException("never begun: the backup of " + disk());
    }
    String error;
    try {
      release();
      error = awaitEnd();
      if (error.isEmpty() && length > 0) {
        error = jobError();
      }
      Leftovers.undo(qmp, name::equals);
      if (error.isEmpty()) {
        FileChannel file = opened();
        file.truncate(length); // QEMU writes whole sectors
        file.force(true);
      }
    } catch (QmpException | IOException e) {
      throw failed(words(e), e);
    } finally {
      close();
    }
    if (!error.isEmpty()) {
      throw failed(error, null);
    }
  }

  /** Waits until the job has ended, or its copy is lost; returns why it is, or nothing. */
  private String awaitEnd() {
    CompletableFuture<Object> either = CompletableFuture.anyOf(end, qmp.ended());
    long done = -1;
    int waited = 0;
    while (true) {
      try {
        Object what = either.get(LOOK_SECONDS, TimeUnit.SECONDS);
        return what instanceof QmpException lost ? words(lost) : String.valueOf(what);
      } catch (TimeoutException e) {
        long now = copied();
        waited = now == done ? waited + LOOK_SECONDS : 0;
        done = now;
        if (waited >= STALLED_SECONDS) {
          return "QEMU has copied nothing for " + waited + " seconds";
        }
      } catch (ExecutionException e) {
        return words(e.getCause() == null ? e : e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return "interrupted";
      }
    }
  }

  private @Nullable JsonNode tryJob() {
    for (JsonNode job : qmp.execute("query-jobs")) {
      if (job.path("id").asText().equals(name.job())) {
        return job;
      }
    }
    return null;
  }

  /** How many bytes were copied by now. */
  long copied() {
    JsonNode job = tryJob();
    return job == null ? 0 : job.path("current-progress").asLong();
  }

  private String jobError() {
    JsonNode job = tryJob();
    return job == null ? "somebody else has ended its job" : job.path("error").asText();
  }

  private FailureException failed(String why, @Nullable Exception cause) {
    String message =
        "the disk " + disk() + " could not be kept: " + why + "; the guest has gone on with it";
    return cause == null ? new FailureException(message) : new FailureException(message, cause);
  }

  private static String words(Throwable e) {
    return e instanceof QmpErrorException qmp ? qmp.description() : String.valueOf(e.getMessage());
  }

  private FileChannel opened() throws IOException {
    if (channel == null || !channel.isOpen()) {
      throw new IOException(to + " is closed");
    }
    return channel;
  }

  /** Forgets the new file, which stays. What QEMU has of it is not touched. */
  void close() {
    try {
      Files.deleteIfExists(map);
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      // It is durable, or nobody wants it any more.
    }
  }
}
