// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ManifestFile;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A folder of snapshots. Several processes may use it at once; the page of this package draws what
 * lies in it.
 */
@SuppressWarnings("try") // a lock is held, not used
public final class Store {
  private static final int ID_DIGITS = 16;
  private static final int SHORTEST_PREFIX = 4;
  private static final int LONGEST_NAME = 100;
  private static final String TEMPORARY = ".tmp-";
  private static final String LOCK = ".lock";
  private static final String WORK = "work";

  private final Path folder;
  private final FileUsers users;
  private final Integrity integrity;

  private Store(Path folder, FileUsers users, Integrity integrity) {
    this.folder = folder;
    this.users = users;
    this.integrity = integrity;
  }

  /**
   * Where snapshots go when nothing else is said: {@code $VMCKPT_STORE}, or {@code vmckpt} in
   * {@code $XDG_DATA_HOME} or in {@code ~/.local/share}.
   */
  public static Path defaultFolder(Map<String, String> environment) {
    String store = environment.getOrDefault("VMCKPT_STORE", "");
    if (!store.isEmpty()) {
      return Path.of(store);
    }
    // The specification of XDG: a relative path is to be ignored.
    String data = environment.getOrDefault("XDG_DATA_HOME", "");
    if (data.startsWith("/")) {
      return Path.of(data, "vmckpt");
    }
    String home = environment.getOrDefault("HOME", System.getProperty("user.home", "/"));
    return Path.of(home, ".local", "share", "vmckpt");
  }

  /**
   * The store in a folder. One that does not exist is an empty store; the first snapshot makes it.
   *
   * @throws SnapshotException if others could have written into it
   */
  public static Store open(Path folder, FileUsers users, PagesCheck pages) {
    Path place = folder.toAbsolutePath().normalize();
    try {
      if (Files.exists(place)) {
        place = place.toRealPath();
        if (!Files.isDirectory(place)) {
          throw new UsageException(place + " is not a folder; --store wants one");
        }
        Ownership.check(place);
      }
      return new Store(place, users, new Integrity(pages));
    } catch (IOException e) {
      throw StoreErrors.of("cannot use the store " + place, e);
    }
  }

  /** Where it lies, absolute. */
  public Path folder() {
    return folder;
  }

  /**
   * Begins a snapshot. Drafts that their writers left behind are removed.
   *
   * @param name a name that no other snapshot of this store has, or null
   * @throws UsageException if the name is taken, or no good
   */
  public Draft begin(@Nullable String name, List<String> tags) {
    checkName(name);
    try {
      Files.createDirectories(folder, Folders.AS_FOLDER);
      Ownership.check(folder);
      try (StoreLock held = StoreLock.take(folder)) {
        sweepDrafts();
        checkFree(name);
        String id = newId();
        Path draft = folder.resolve(TEMPORARY + id);
        Lock lock = Lock.create(folder.resolve(TEMPORARY + id + LOCK), name == null ? "" : name);
        try {
          Files.createDirectory(draft, Folders.AS_FOLDER);
        } catch (IOException e) {
          lock.close();
          throw e;
        }
        return new Draft(this, id, name, tags, draft, lock);
      }
    } catch (IOException e) {
      throw StoreErrors.of("cannot write to the store " + folder, e);
    }
  }

  /** Every snapshot, the oldest first, with those that cannot be read. */
  public List<Listed> list() {
    List<Listed> found = new ArrayList<>();
    for (String id : ids()) {
      try {
        found.add(new Listed(id, load(id), null));
      } catch (SnapshotException e) {
        if (Files.exists(folder.resolve(id))) {
          found.add(new Listed(id, null, e));
        }
      }
    }
    found.sort(
        Comparator.comparing(
            each -> each.stored() == null ? "" : each.stored().manifest().created()));
    return found;
  }

  /**
   * One snapshot, its manifest read and checked.
   *
   * @param word its id, its name, or the beginning of its id, as long as only one begins so
   * @throws SnapshotException if there is none, or its manifest is damaged
   * @throws UsageException if several ids begin so
   */
  public Stored find(String word) {
    return load(resolve(word));
  }

  /** The id that {@link #find} would read; the snapshot may be damaged. */
  public String resolve(String word) {
    List<String> ids = ids();
    if (ids.contains(word)) {
      return word;
    }
    List<String> begun = new ArrayList<>();
    for (String id : ids) {
      if (word.equals(ManifestPeek.name(folder.resolve(id).resolve(Manifest.FILE)))) {
        return id;
      }
      if (word.length() >= SHORTEST_PREFIX && id.startsWith(word)) {
        begun.add(id);
      }
    }
    if (begun.size() > 1) {
      throw new UsageException(
          "several snapshots begin with " + word + ": " + String.join(", ", begun));
    }
    if (begun.isEmpty()) {
      throw new SnapshotException(
          Fault.MISSING,
          "there is no snapshot " + word + " in " + folder + "; 'vmckpt list' shows what there is");
    }
    return begun.get(0);
  }

  /**
   * Checks what a restore relies on: every file is there and has not been written to since.
   *
   * @throws SnapshotException naming the first file that is not as it was
   */
  public void check(Stored snapshot, ProgressListener progress) {
    try {
      integrity.check(snapshot, progress);
    } catch (IOException e) {
      throw StoreErrors.of("cannot read the snapshot " + snapshot.title(), e);
    }
  }

  /**
   * Reads every file of a snapshot in full and compares it with its checksum.
   *
   * @throws SnapshotException naming the first file that is not as it was
   */
  public void verify(Stored snapshot, ProgressListener progress) {
    try {
      integrity.checkInFull(snapshot, progress);
    } catch (IOException e) {
      throw StoreErrors.of("cannot read the snapshot " + snapshot.title(), e);
    }
  }

  /**
   * Removes a snapshot, damaged or not.
   *
   * @throws RefusedException if a process or another snapshot still needs it
   */
  public void remove(String id) {
    Path home = folder.resolve(id);
    Path away = folder.resolve(TEMPORARY + id);
    try {
      Ownership.check(home, LinkOption.NOFOLLOW_LINKS);
      try (StoreLock held = StoreLock.take(folder)) {
        List<Refusal> refusals = needs(id, home);
        RefusedException.throwIfAny("removing " + id, refusals);
        // From this rename on it is no snapshot any more, whether we finish or not.
        Files.move(home, away, StandardCopyOption.ATOMIC_MOVE);
        Folders.sync(folder);
      }
      Folders.deleteTree(away);
    } catch (IOException e) {
      throw StoreErrors.of("cannot remove the snapshot " + id, e);
    }
    sweepWork();
  }

  /** A folder for one restore of a snapshot. As long as it is open, the snapshot is not removed. */
  public Work work(Stored snapshot) {
    Path all = folder.resolve(WORK);
    try (StoreLock held = StoreLock.take(folder)) {
      if (!Files.exists(snapshot.folder())) {
        throw new SnapshotException(
            Fault.MISSING, "snapshot " + snapshot.title() + " has just been removed");
      }
      Files.createDirectories(all, Folders.AS_FOLDER);
      Ownership.check(all);
      int number = 1;
      while (Files.exists(all.resolve(snapshot.id() + "-" + number))
          || Files.exists(all.resolve(snapshot.id() + "-" + number + LOCK))) {
        number++;
      }
      Path place = all.resolve(snapshot.id() + "-" + number);
      return new Work(place, Lock.create(all.resolve(place.getFileName() + LOCK), "restore"));
    } catch (IOException e) {
      throw StoreErrors.of("cannot make a folder for the restored process in " + folder, e);
    }
  }

  /**
   * Removes what restored processes worked on, once they are gone. Does nothing where it may not.
   */
  public void sweepWork() {
    Path all = folder.resolve(WORK);
    if (!Files.isWritable(all)) {
      return;
    }
    try (StoreLock held = StoreLock.take(folder)) {
      for (String name : Folders.names(all)) {
        boolean isLock = name.endsWith(LOCK);
        String stem = isLock ? name.substring(0, name.length() - LOCK.length()) : name;
        Path place = all.resolve(stem);
        Path lock = all.resolve(stem + LOCK);
        if (Lock.isHeld(lock)) {
          continue;
        }
        if (isLock) {
          Files.deleteIfExists(lock);
        } else if (usersOf(place).isEmpty() && dependents("", place).isEmpty()) {
          Folders.deleteTree(place);
        }
      }
    } catch (IOException e) {
      // Housekeeping: whoever came for something else shall get that, and the next one tries again.
    }
  }

  private List<Refusal> needs(String id, Path home) throws IOException {
    List<Refusal> refusals = new ArrayList<>();
    for (String name : Folders.names(folder.resolve(WORK))) {
      if (name.startsWith(id + "-")
          && name.endsWith(LOCK)
          && Lock.isHeld(folder.resolve(WORK).resolve(name))) {
        refusals.add(
            new Refusal(id, "it is being restored just now", "try again when that is done"));
      }
    }
    for (Integer pid : usersOf(home)) {
      refusals.add(
          new Refusal(
              id,
              "process " + pid + " still reads its memory or a disk from it",
              "end that process first (kill " + pid + "), or restore with --eager"));
    }
    for (String other : dependents(id, home)) {
      refusals.add(
          new Refusal(id, "snapshot " + other + " refers to files in it", "remove that one first"));
    }
    return refusals;
  }

  private Set<Integer> usersOf(Path place) throws IOException {
    Set<Integer> pids = new TreeSet<>();
    if (Files.isDirectory(place, LinkOption.NOFOLLOW_LINKS)) {
      for (Path file : Folders.filesBelow(place)) {
        pids.addAll(users.of(file));
      }
    }
    return pids;
  }

  private List<String> dependents(String except, Path place) {
    List<String> found = new ArrayList<>();
    for (String id : ids()) {
      try {
        if (!id.equals(except) && Dependence.on(place, load(id).manifest())) {
          found.add(id);
        }
      } catch (SnapshotException e) {
        // A damaged one cannot be restored, and so needs nothing.
      }
    }
    return found;
  }

  private void sweepDrafts() throws IOException {
    for (String name : Folders.names(folder)) {
      if (name.startsWith(TEMPORARY)) {
        String stem = name.endsWith(LOCK) ? name.substring(0, name.length() - LOCK.length()) : name;
        Path lock = folder.resolve(stem + LOCK);
        if (!Lock.isHeld(lock)) {
          Folders.deleteTree(folder.resolve(stem));
          Files.deleteIfExists(lock);
        }
      }
    }
  }

  private static void checkName(@Nullable String name) {
    if (name == null) {
      return;
    }
    boolean good = !name.isBlank() && name.length() <= LONGEST_NAME && !name.startsWith("-");
    for (int i = 0; i < name.length(); i++) {
      good &= !Character.isISOControl(name.charAt(i));
    }
    if (!good) {
      throw new UsageException(
          "a name has 1 to "
              + LONGEST_NAME
              + " characters, no control characters, and does not begin with a dash");
    }
    if (isId(name)) {
      throw new UsageException(name + " looks like an id; choose another name");
    }
  }

  private void checkFree(@Nullable String name) throws IOException {
    if (name == null) {
      return;
    }
    for (String id : ids()) {
      if (name.equals(ManifestPeek.name(folder.resolve(id).resolve(Manifest.FILE)))) {
        throw new UsageException(
            "there is a snapshot named "
                + name
                + " already ("
                + id
                + "); choose another name, or remove that one: vmckpt rm "
                + name);
      }
    }
    for (String each : Folders.names(folder)) {
      if (each.startsWith(TEMPORARY)
          && each.endsWith(LOCK)
          && name.equals(Lock.wordsOfLiving(folder.resolve(each)))) {
        throw new UsageException(
            "a snapshot named " + name + " is being written just now; choose another name");
      }
    }
  }

  private List<String> ids() {
    List<String> ids = new ArrayList<>();
    try {
      for (String name : Folders.names(folder)) {
        if (isId(name)) {
          ids.add(name);
        }
      }
    } catch (IOException e) {
      throw StoreErrors.of("cannot read the store " + folder, e);
    }
    return ids;
  }

  private Stored load(String id) {
    Path home = folder.resolve(id);
    try {
      if (!Files.exists(home, LinkOption.NOFOLLOW_LINKS)) {
        throw new SnapshotException(Fault.MISSING, "there is no snapshot " + id + " in " + folder);
      }
      Ownership.check(home, LinkOption.NOFOLLOW_LINKS);
      Path file = home.resolve(Manifest.FILE);
      if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
        Ownership.check(file, LinkOption.NOFOLLOW_LINKS);
      }
    } catch (IOException e) {
      throw new SnapshotException(Fault.CORRUPT, home + " cannot be read", e);
    }
    Manifest manifest = ManifestFile.read(home);
    if (!manifest.id().equals(id)) {
      throw new SnapshotException(
          Fault.FOREIGN, home + " holds another snapshot, " + manifest.id() + ": it was renamed");
    }
    return new Stored(home, manifest);
  }

  private String newId() throws IOException {
    // SecureRandom loads half a hundred classes to read these same eight bytes.
    try (InputStream random = new FileInputStream("/dev/urandom")) {
      String id = HexFormat.of().formatHex(random.readNBytes(ID_DIGITS / 2));
      return Files.exists(folder.resolve(id)) ? newId() : id;
    }
  }

  private static boolean isId(String text) {
    if (text.length() != ID_DIGITS) {
      return false;
    }
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
        return false;
      }
    }
    return true;
  }
}
