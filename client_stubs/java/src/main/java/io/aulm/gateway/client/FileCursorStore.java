package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Base64;
import java.util.Optional;

/**
 * A cursor in a file of its own, as one line of base64url. Saving writes a file beside it, syncs that and renames it
 * over: a crash leaves the old cursor or the new one. One process a file; the format is that of the gateway's clients
 * in all languages.
 */
public final class FileCursorStore implements CursorStore {
  private final Path path;

  /** The file need not exist; its folder must. {@code path} + ".new" is used too. */
  public FileCursorStore(Path path) {
    this.path = path;
  }

  /** Fails when the file is not a cursor's: starting elsewhere would skip or repeat events unasked. */
  @Override
  public Optional<ByteString> load() throws IOException {
    String line;
    try {
      line = Files.readString(path, StandardCharsets.ISO_8859_1).strip();
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    try {
      byte[] cursor = Base64.getUrlDecoder().decode(line);
      if (cursor.length > 0) {
        return Optional.of(ByteString.copyFrom(cursor));
      }
    } catch (IllegalArgumentException e) {
      // told below
    }
    throw new IOException(
        "the cursor file " + path + " holds no cursor: move it away to start anew, or put the last good one back");
  }

  @Override
  public void save(ByteString cursor) throws IOException {
    Path beside = Path.of(path + ".new");
    String line = Base64.getUrlEncoder().withoutPadding().encodeToString(cursor.toByteArray()) + "\n";
    try (FileChannel file =
        FileChannel.open(
            beside, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
      ByteBuffer bytes = StandardCharsets.US_ASCII.encode(line);
      while (bytes.hasRemaining()) {
        file.write(bytes);
      }
      file.force(false);
    }
    Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
