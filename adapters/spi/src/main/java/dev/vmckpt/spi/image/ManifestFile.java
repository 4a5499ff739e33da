// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.json.RecordJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * The file of a manifest: JSON with a header of fixed length.
 *
 * <pre>
 *  0                 18            25 or more
 * {"magic":"vmckpt","format":1,"crc32c":"0123abcd","body":{ … }}\n
 * |--- magic ------||-- format -||---- checksum --|       |body|
 * </pre>
 *
 * The checksum is CRC32C (RFC 3720) of the bytes of the body, both braces included.
 */
public final class ManifestFile {
  /** The format that this version writes. */
  public static final int FORMAT = 1;

  /** The oldest format that this version reads. */
  public static final int OLDEST_FORMAT = 1;

  private static final String MAGIC = "{\"magic\":\"vmckpt\",\"format\":";
  private static final String CHECKSUM = ",\"crc32c\":\"";
  private static final String BODY = "\",\"body\":";
  private static final String END = "}\n";
  private static final int MAX_FORMAT_DIGITS = 9;

  private ManifestFile() {}

  /** The bytes of the file of a manifest. */
  public static byte[] encode(Manifest manifest) {
    byte[] body = RecordJson.write(manifest);
    String head =
        MAGIC + FORMAT + CHECKSUM + HexFormat.of().toHexDigits(crc(body, 0, body.length)) + BODY;
    byte[] file = new byte[head.length() + body.length + END.length()];
    System.arraycopy(ascii(head), 0, file, 0, head.length());
    System.arraycopy(body, 0, file, head.length(), body.length);
    System.arraycopy(ascii(END), 0, file, head.length() + body.length, END.length());
    return file;
  }

  /**
   * Reads the manifest of a snapshot.
   *
   * @param folder the folder of the snapshot
   * @throws SnapshotException if it is missing, no manifest of ours, too old, too new or damaged
   */
  public static Manifest read(Path folder) {
    Path file = folder.resolve(Manifest.FILE);
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new SnapshotException(
          Fault.MISSING, folder + " holds no snapshot: " + Manifest.FILE + " is not there");
    } catch (IOException e) {
      throw new SnapshotException(Fault.CORRUPT, file + " cannot be read", e);
    }
    return decode(bytes, file.toString());
  }

  /**
   * The manifest in the bytes of a file.
   *
   * @param source the name of the file, the beginning of every message
   * @throws SnapshotException as {@link #read} does
   */
  public static Manifest decode(byte[] file, String source) {
    int at = checkFormat(file, source);
    byte[] checksum = ascii(CHECKSUM);
    int bodyAt = at + checksum.length + 8 + BODY.length();
    int bodyEnd = file.length - END.length();
    if (!startsWith(file, at, checksum)
        || !startsWith(file, bodyAt - BODY.length(), ascii(BODY))
        || bodyEnd <= bodyAt
        || !startsWith(file, bodyEnd, ascii(END))) {
      throw new SnapshotException(
          Fault.CORRUPT, source + " is damaged: its header or its end is wrong");
    }
    String wanted = new String(file, at + checksum.length, 8, StandardCharsets.ISO_8859_1);
    String found = HexFormat.of().toHexDigits(crc(file, bodyAt, bodyEnd - bodyAt));
    if (!wanted.equals(found)) {
      throw new SnapshotException(
          Fault.CORRUPT,
          source + " is damaged: its checksum is " + found + " and should be " + wanted);
    }
    return RecordJson.read(file, bodyAt, bodyEnd - bodyAt, Manifest.class, source);
  }

  /** Checks magic and format alone; returns the index behind the format. */
  private static int checkFormat(byte[] file, String source) {
    byte[] magic = ascii(MAGIC);
    if (!startsWith(file, 0, magic)) {
      throw new SnapshotException(
          file.length < magic.length ? Fault.CORRUPT : Fault.FOREIGN,
          source
              + " is no manifest of vmckpt"
              + (file.length < magic.length ? ", or cut short" : ""));
    }
    int at = magic.length;
    int format = 0;
    while (at < file.length
        && file[at] >= '0'
        && file[at] <= '9'
        && at < magic.length + MAX_FORMAT_DIGITS) {
      format = format * 10 + file[at++] - '0';
    }
    if (at == magic.length) {
      throw new SnapshotException(Fault.CORRUPT, source + " is damaged: it has no format number");
    }
    if (format > FORMAT) {
      throw new SnapshotException(
          Fault.TOO_NEW,
          source
              + " has format "
              + format
              + ", this vmckpt reads up to "
              + FORMAT
              + ": use a newer one");
    }
    if (format < OLDEST_FORMAT) {
      throw new SnapshotException(
          Fault.TOO_OLD,
          source + " has format " + format + ", this vmckpt reads from " + OLDEST_FORMAT + " on");
    }
    return at;
  }

  private static boolean startsWith(byte[] file, int at, byte[] expected) {
    if (at < 0 || at + expected.length > file.length) {
      return false;
    }
    for (int i = 0; i < expected.length; i++) {
      if (file[at + i] != expected[i]) {
        return false;
      }
    }
    return true;
  }

  private static int crc(byte[] bytes, int offset, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
