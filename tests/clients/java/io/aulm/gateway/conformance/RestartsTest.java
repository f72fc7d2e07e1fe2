package io.aulm.gateway.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aulm.gateway.client.FileCursorStore;
import io.aulm.gateway.client.GatewayClient;
import io.aulm.gateway.client.GatewayException;
import io.aulm.gateway.client.EventSubscription;
import io.aulm.gateway.client.Outcome;
import io.aulm.gateway.client.SubscribeOptions;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.ReadEventsRequest;
import io.aulm.gateway.v1.ReadEventsResponse;
import io.aulm.gateway.v1.SendTextRequest;
import io.aulm.gateway.v1.SendTextResponse;
import io.aulm.gateway.v1.StartPosition;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The client against the real gateway and the simulator: sends, errors, and ten thousand events over ten kills. */
final class RestartsTest {
  private static final int EVENTS = 10_000;
  private static final int KILLS = 10;
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  private static SendTextRequest text(String to) {
    return SendTextRequest.newBuilder()
        .setSessionId("00000000-0000-4000-8000-000000000001")
        .setTo(to)
        .setBody("Hello")
        .build();
  }

  @Test
  void sendsAndTheirErrorsAreTyped() throws Exception {
    try (World world = new World(List.of());
        GatewayClient client = GatewayClient.builder(world.target()).build()) {
      SendTextResponse sent = client.sendText(text("+966512345678"));
      assertTrue(!sent.getMessage().getRequestId().isEmpty());
      assertTrue(
          client
              .sendText(text("+966512345678").toBuilder().setRequestId(sent.getMessage().getRequestId()).build())
              .getReplayed());

      GatewayException quota = assertThrows(GatewayException.class, () -> client.sendText(text("+999000001429")));
      assertEquals(Status.Code.RESOURCE_EXHAUSTED, quota.code());
      assertEquals("DAILY_QUOTA_EXCEEDED", quota.reason());
      assertEquals("aulm.io", quota.domain());
      assertEquals(Outcome.NOT_SENT, quota.outcome().orElseThrow());
      assertTrue(quota.retryAfter().isPresent());
      assertEquals(0, quota.quota().orElseThrow().getRemaining());

      GatewayException doubt = assertThrows(GatewayException.class, () -> client.sendText(text("+999000000005")));
      assertEquals("SEND_OUTCOME_UNKNOWN", doubt.reason());
      assertEquals(Outcome.UNKNOWN, doubt.outcome().orElseThrow());
      assertTrue(!doubt.requestId().isEmpty());

      GatewayException bad = assertThrows(GatewayException.class, () -> client.sendText(text("12")));
      assertEquals("to", bad.fieldViolations().get(0).subject());
    }
  }

  @Test
  void sendThatFindsNoGatewayIsTriedAgain() throws Exception {
    try (World world = new World(List.of());
        GatewayClient client = GatewayClient.builder(world.target()).build()) {
      client.sendText(text("+966512345678"));
      world.endGateway("KILL");
      Thread starter =
          new Thread(
              () -> {
                try {
                  world.startGateway(false);
                } catch (java.io.IOException e) {
                  throw new java.io.UncheckedIOException(e);
                }
              });
      starter.start();
      assertTrue(!client.sendText(text("+966512345678")).getReplayed());
      starter.join();
    }
  }

  @Test
  void eachEventOnceAndInOrderOverTenKills() throws Exception {
    List<String> followed = Collections.synchronizedList(new ArrayList<>());
    List<Event> consumed = Collections.synchronizedList(new ArrayList<>());
    try (World world = new World(List.of("--webhook-concurrency=8"));
        GatewayClient client = GatewayClient.builder(world.target()).build()) {
      SubscribeOptions options =
          SubscribeOptions.of(
                  SubscribeEventsRequest.newBuilder().setPosition(StartPosition.START_POSITION_EARLIEST).build())
              .withBackoff(Duration.ofMillis(20), Duration.ofMillis(200));
      EventSubscription inOrder =
          client.subscribe(
              options.withConcurrency(1).withCursorStore(new FileCursorStore(world.folder.resolve("cursor"))),
              event -> followed.add(event.getDeliveryId()));
      EventSubscription atOnce = client.subscribe(options.withConcurrency(8), consumed::add);
      world.control(
          "POST", "blast",
          "{\"count\":" + EVENTS + ",\"concurrency\":8,\"rate_per_second\":2000,\"retry\":true,\"retry_delay_ms\":20,"
              + "\"keep_ids\":true,\"event\":\"inbound_message\",\"peers\":40}");
      for (int kill = 1; kill <= KILLS; ++kill) {
        int due = kill * EVENTS / (KILLS + 1);
        World.eventually(() -> followed.size() >= due, () -> followed.size() + " of " + due, PATIENCE);
        world.endGateway("KILL");
        world.startGateway(false);
      }
      World.eventually(
          () -> followed.size() >= EVENTS && consumed.size() >= EVENTS,
          () -> followed.size() + " and " + consumed.size(),
          PATIENCE);

      List<String> log = new ArrayList<>();
      ReadEventsRequest.Builder request =
          ReadEventsRequest.newBuilder().setPosition(StartPosition.START_POSITION_EARLIEST).setPageSize(1000);
      ReadEventsResponse page;
      do {
        page = client.readEvents(request.build());
        page.getEventsList().forEach(event -> log.add(event.getDeliveryId()));
        request.setAfterCursor(page.getNextCursor());
      } while (!page.getEndOfLog());
      inOrder.close();
      atOnce.close();

      assertEquals(EVENTS, log.size());
      assertEquals(log, followed);
      assertEquals(new HashSet<>(log), new HashSet<>(consumed.stream().map(Event::getDeliveryId).toList()));
      assertEquals(EVENTS, consumed.size());
      Map<String, Integer> place = new HashMap<>();
      log.forEach(id -> place.put(id, place.size()));
      Map<String, Integer> last = new HashMap<>();
      for (Event event : List.copyOf(consumed)) {
        int at = place.get(event.getDeliveryId());
        Integer before = last.put(event.getInboundMessage().getFrom(), at);
        assertTrue(before == null || before < at, "out of order within a conversation");
      }
    }
  }
}
