package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.util.Optional;

/**
 * Keeps a subscriber's position over restarts of its process: {@link FileCursorStore}, {@link MemoryCursorStore}, or
 * whatever the application writes its results to. Called by one thread at a time; may block. A failure ends the
 * subscription with it: a store that is worth another try makes that by itself.
 */
public interface CursorStore {
  /** The cursor that was saved last; empty when none ever was. */
  Optional<ByteString> load() throws IOException;

  /** Keeps {@code cursor} (opaque, under 1 KiB) in place of the last one, all of it or nothing. */
  void save(ByteString cursor) throws IOException;
}
