package io.aulm.gateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FileCursorStoreTest {
  @TempDir Path folder;

  @Test
  void savedCursorIsOneLineOfBase64UrlAndIsLoadedAgain() throws IOException {
    Path path = folder.resolve("position");
    FileCursorStore store = new FileCursorStore(path);
    assertTrue(store.load().isEmpty());
    ByteString cursor = ByteString.copyFrom(new byte[] {(byte) 0xfb, (byte) 0xff, 1});
    store.save(cursor);
    assertEquals("-_8B\n", Files.readString(path));
    assertEquals(cursor, store.load().orElseThrow());
  }

  @Test
  void fileThatHoldsNoCursorIsAnError() throws IOException {
    Path path = Files.writeString(folder.resolve("position"), "no cursor at all\n");
    assertThrows(IOException.class, () -> new FileCursorStore(path).load());
  }

  @Test
  void keepaliveThatTheGatewayTakesForAnAttackIsRefused() {
    GatewayClientBuilder builder = GatewayClient.builder("127.0.0.1:1");
    assertThrows(IllegalArgumentException.class, () -> builder.keepalive(java.time.Duration.ofSeconds(19)));
  }
}
