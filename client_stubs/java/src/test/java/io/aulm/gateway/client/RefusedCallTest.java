package io.aulm.gateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aulm.gateway.v1.SendTextRequest;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the client itself refuses was not sent, and it says so. */
final class RefusedCallTest {
  private FakeGateway gateway;

  @BeforeEach
  void start() throws IOException {
    gateway = new FakeGateway();
  }

  @AfterEach
  void stop() throws InterruptedException {
    gateway.close();
  }

  private void refuses(GatewayClientBuilder builder, String body, Status.Code code, String words) {
    try (GatewayClient client = builder.build()) {
      refuses(client, body, code, words);
    }
  }

  private void refuses(GatewayClient client, String body, Status.Code code, String words) {
    SendTextRequest request = SendTextRequest.newBuilder().setBody(body).build();
    GatewayException error = assertThrows(GatewayException.class, () -> client.sendText(request));
    assertEquals(code, error.code());
    assertEquals(Outcome.NOT_SENT, error.outcome().orElseThrow());
    assertFalse(error.requestId().isEmpty());
    assertTrue(error.getMessage().contains(words), error.getMessage());
    assertFalse(error.getMessage().contains("secret"), error.getMessage());
    assertTrue(gateway.sends.isEmpty());
  }

  private static String noToken() {
    throw new IllegalStateException("no token");
  }

  @Test
  void sendWithoutTime() {
    refuses(gateway.client().timeout(Duration.ZERO), "Hello", Status.Code.DEADLINE_EXCEEDED, "no time");
    refuses(gateway.client().timeout(Duration.ofSeconds(-1)), "Hello", Status.Code.DEADLINE_EXCEEDED, "no time");
  }

  @Test
  void readWithoutTime() {
    try (GatewayClient client = gateway.client().timeout(Duration.ZERO).build()) {
      GatewayException error = assertThrows(GatewayException.class, () -> client.getQuota(""));
      assertEquals(Status.Code.DEADLINE_EXCEEDED, error.code());
      assertTrue(error.outcome().isEmpty());
      assertTrue(error.getMessage().contains("not made"));
    }
  }

  @Test
  void requestOverTheGatewaysLimit() {
    refuses(gateway.client(), "x".repeat(8 << 20), Status.Code.INVALID_ARGUMENT, "8388608");
  }

  @Test
  void tokenThatCannotBeHad() {
    refuses(gateway.client().token(RefusedCallTest::noToken), "Hello", Status.Code.UNAUTHENTICATED, "no token");
  }

  @Test
  void tokenWithALineEnd() {
    refuses(gateway.client().token(() -> "secret\n"), "Hello", Status.Code.UNAUTHENTICATED, "printable ASCII");
  }

  @Test
  void closedClient() {
    GatewayClient client = gateway.client().build();
    client.close();
    refuses(client, "Hello", Status.Code.CANCELLED, "closed");
  }

  @Test
  void subscriptionWithoutItsTokenEnds() {
    try (GatewayClient client = gateway.client().token(RefusedCallTest::noToken).build()) {
      EventSubscription subscription =
          client.subscribe(SubscribeOptions.of(SubscribeEventsRequest.getDefaultInstance()), event -> {});
      CompletionException ended = assertThrows(CompletionException.class, () -> subscription.ended().join());
      assertEquals(Status.Code.UNAUTHENTICATED, ((GatewayException) ended.getCause()).code());
    }
  }
}
