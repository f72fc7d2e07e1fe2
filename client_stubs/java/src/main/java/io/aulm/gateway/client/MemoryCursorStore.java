package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import java.util.Optional;

/** Keeps a position for as long as the process lives. Thread-safe. */
public final class MemoryCursorStore implements CursorStore {
  private volatile ByteString cursor;

  @Override
  public Optional<ByteString> load() {
    return Optional.ofNullable(cursor);
  }

  @Override
  public void save(ByteString cursor) {
    this.cursor = cursor;
  }
}
