package io.aulm.gateway.conformance;

import static io.aulm.gateway.conformance.Table.flag;
import static io.aulm.gateway.conformance.Table.number;
import static io.aulm.gateway.conformance.Table.only;
import static io.aulm.gateway.conformance.Table.strings;
import static io.aulm.gateway.conformance.Table.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import io.aulm.gateway.client.GatewayClient;
import io.aulm.gateway.client.GatewayClientBuilder;
import io.aulm.gateway.client.GatewayException;
import io.aulm.gateway.v1.CreateSubscriptionRequest;
import io.aulm.gateway.v1.GetSubscriptionRequest;
import io.aulm.gateway.v1.ImageData;
import io.aulm.gateway.v1.ListParkedEventsRequest;
import io.aulm.gateway.v1.ParkedEvent;
import io.aulm.gateway.v1.ReplayParkedEventsRequest;
import io.aulm.gateway.v1.SendImageRequest;
import io.aulm.gateway.v1.SendTextRequest;
import io.aulm.gateway.v1.StartPosition;
import io.aulm.gateway.v1.Subscription;
import io.aulm.gateway.v1.SubscriptionMode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/**
 * One case of the clients' conformance table: takes its steps in order against the real gateway and the simulator, by
 * nothing but the client's public interface. A step or a field that it does not know is an error. Not thread-safe.
 */
final class ConformanceCase implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final Table table;
  private final World world;
  private final GatewayClient client;
  private final ConsumerSteps consumers;
  private final Map<String, CompletableFuture<JsonObject>> sends = new HashMap<>(); // each by its "as"

  private ConformanceCase(Table table, JsonObject given) throws Exception {
    this.table = table;
    JsonObject options = only(given.has("client") ? given.get("client") : new JsonObject(), "timeout_ms");
    world = new World(strings(given, "simulator"));
    GatewayClientBuilder builder =
        GatewayClient.builder(world.target()).sendBackoff(Duration.ofMillis(20), Duration.ofMillis(200));
    if (options.has("timeout_ms")) {
      builder.timeout(Duration.ofMillis(number(options, "timeout_ms", 0)));
    }
    client = builder.build();
    consumers = new ConsumerSteps(client, table, world.folder);
  }

  /** Runs a case of {@code table} from the first step to the last. */
  static void run(Table table, JsonObject given) throws Exception {
    try (ConformanceCase run = new ConformanceCase(table, given)) {
      int number = 0;
      for (JsonElement step : given.getAsJsonArray("steps")) {
        number++;
        try {
          run.take(step.getAsJsonObject());
        } catch (Exception | AssertionError e) {
          throw new AssertionError(text(given, "name", "") + ", step " + number + ", " + step + ": " + e, e);
        }
      }
    }
  }

  @Override
  public void close() throws Exception {
    consumers.stopAll();
    client.close();
    world.close();
  }

  private void take(JsonObject whole) throws Exception {
    JsonObject step = whole.deepCopy();
    JsonElement expected = step.remove("expect");
    if (step.size() != 1) {
      throw new IllegalArgumentException("not one step: " + step.keySet());
    }
    String verb = step.keySet().iterator().next();
    JsonElement given = step.get(verb);
    switch (verb) {
      case "send_text" -> sendText(given, expected);
      case "send_image" -> sendImage(given, expected);
      case "session_status" -> sessionStatus(only(given, "session"), expected);
      case "await" -> check(sends.get(given.getAsString()).get(), expected);
      default -> {
        if (expected != null) {
          throw new IllegalArgumentException(verb + " has nothing to expect");
        }
        takeSilent(verb, given);
      }
    }
  }

  private void takeSilent(String verb, JsonElement given) throws Exception {
    switch (verb) {
      case "gateway" -> gateway(given.getAsString());
      case "simulator" -> simulator(given);
      case "webhook" -> webhook(only(given, "path", "body"));
      case "inbound" -> inbound(only(given, "from", "bodies"));
      case "requests" -> requests(only(given, "path", "count", "accepted", "bodies_contain"));
      case "create_subscription" ->
          createSubscription(
              only(given, "name", "mode", "start", "max_attempts", "retry_delay_ms", "ack_deadline_ms"));
      case "subscription_stats" -> subscriptionStats(given.getAsJsonObject().deepCopy());
      case "parked" -> parked(only(given, "subscription", "in_any_order", "events", "reasons"));
      case "replay_parked" -> replayParked(only(given, "subscription"));
      default -> consumers.take(verb, given);
    }
  }

  private void gateway(String action) throws Exception {
    switch (action) {
      case "start" -> world.startGateway(false);
      case "start_empty" -> world.startGateway(true);
      case "kill" -> world.endGateway("KILL");
      case "terminate" -> world.endGateway("TERM");
      case "pause" -> world.signalGateway("STOP");
      case "continue" -> world.signalGateway("CONT");
      default -> throw new IllegalArgumentException("gateway " + action + ": not known to this runner");
    }
  }

  private void simulator(JsonElement given) throws Exception {
    if (given.isJsonPrimitive()) {
      assertEquals("stop", given.getAsString());
      world.stopSimulator();
      return;
    }
    JsonObject call = only(given, "method", "path", "body");
    String body = call.has("body") ? call.get("body").toString() : null;
    world.control(text(call, "method", ""), text(call, "path", ""), body);
  }

  private void webhook(JsonObject step) throws Exception {
    world.deliver(text(step, "path", ""), step.get("body").toString());
  }

  private void inbound(JsonObject step) throws Exception {
    for (String body : strings(step, "bodies")) {
      JsonObject event = new JsonObject();
      event.add("from", step.get("from"));
      event.addProperty("body", body);
      world.deliver("events/inbound", event.toString());
    }
  }

  private void requests(JsonObject step) throws Exception {
    List<JsonObject> found =
        world.control("GET", "requests", null).getAsJsonArray("requests").asList().stream()
            .map(JsonElement::getAsJsonObject)
            .filter(each -> text(each, "target", "").startsWith(text(step, "path", "")))
            .toList();
    assertEquals(number(step, "count", -1), found.size(), "requests");
    long accepted =
        found.stream().filter(each -> each.has("message_id") && !text(each, "message_id", "").isEmpty()).count();
    assertEquals(number(step, "accepted", -1), accepted, "requests with a message id");
    for (String part : strings(step, "bodies_contain")) {
      // JSON may escape slashes or not.
      assertTrue(found.stream().anyMatch(each -> text(each, "body", "").replace("\\/", "/").contains(part)), part);
    }
  }

  private String requestId(JsonObject step) throws Exception {
    JsonElement given = step.get("request_id");
    if (given == null || given.isJsonPrimitive()) {
      return text(step, "request_id", "");
    }
    JsonObject answer = sends.get(text(only(given, "request_id_of"), "request_id_of", "")).get();
    return text(answer.getAsJsonObject("ok"), "request_id", "");
  }

  private void sendText(JsonElement given, JsonElement expected) throws Exception {
    JsonObject step = only(given, "as", "background", "session", "to", "body", "request_id", "timeout_ms");
    SendTextRequest request =
        SendTextRequest.newBuilder()
            .setSessionId(table.session(text(step, "session", "")))
            .setTo(text(step, "to", ""))
            .setBody(text(step, "body", ""))
            .setRequestId(requestId(step))
            .build();
    int timeout = number(step, "timeout_ms", 0);
    call(
        step,
        expected,
        () ->
            Facts.ofSend(
                timeout == 0 ? client.sendText(request) : client.sendText(request, Duration.ofMillis(timeout))));
  }

  private void sendImage(JsonElement given, JsonElement expected) throws Exception {
    JsonObject step =
        only(given, "as", "background", "session", "to", "caption", "data_base64", "url", "request_id", "timeout_ms");
    SendImageRequest.Builder request =
        SendImageRequest.newBuilder()
            .setSessionId(table.session(text(step, "session", "")))
            .setTo(text(step, "to", ""))
            .setCaption(text(step, "caption", ""))
            .setRequestId(requestId(step));
    if (step.has("url")) {
      request.setImageUrl(text(step, "url", ""));
    } else {
      byte[] image = Base64.getDecoder().decode(text(step, "data_base64", ""));
      request.setImageData(ImageData.newBuilder().setData(ByteString.copyFrom(image)));
    }
    int timeout = number(step, "timeout_ms", 0);
    call(
        step,
        expected,
        () ->
            Facts.ofSend(
                timeout == 0
                    ? client.sendImage(request.build())
                    : client.sendImage(request.build(), Duration.ofMillis(timeout))));
  }

  private void sessionStatus(JsonObject step, JsonElement expected) throws Exception {
    String id = table.session(text(step, "session", ""));
    call(step, expected, () -> Facts.of(client.getSessionStatus(id)));
  }

  // Calls, and checks the answer unless the step is in the background.
  private void call(JsonObject step, JsonElement expected, Supplier<JsonObject> facts) throws Exception {
    CompletableFuture<JsonObject> answer =
        CompletableFuture.supplyAsync(
            () -> {
              JsonObject result = new JsonObject();
              try {
                result.add("ok", facts.get());
              } catch (GatewayException e) {
                result.add("error", Facts.of(e));
              }
              return result;
            });
    if (step.has("as")) {
      sends.put(text(step, "as", ""), answer);
    }
    if (!flag(step, "background")) {
      check(answer.get(60, TimeUnit.SECONDS), expected);
    }
  }

  private static void check(JsonObject answer, JsonElement expected) {
    JsonObject one = only(expected, "ok", "error");
    assertEquals(answer.keySet(), one.keySet(), answer.toString());
    assertEquals("", Facts.difference(answer, one));
  }

  /** A duration of proto. */
  static com.google.protobuf.Duration milliseconds(int count) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(count / 1000)
        .setNanos(count % 1000 * 1_000_000)
        .build();
  }

  private void createSubscription(JsonObject step) {
    Subscription.Builder made =
        Subscription.newBuilder()
            .setName(text(step, "name", ""))
            .setMode(SubscriptionMode.valueOf("SUBSCRIPTION_MODE_" + text(step, "mode", "UNSPECIFIED")))
            .setMaxAttempts(number(step, "max_attempts", 0));
    if (step.has("start")) {
      made.setPosition(StartPosition.valueOf("START_POSITION_" + text(step, "start", "")));
    }
    if (step.has("retry_delay_ms")) {
      made.setRetryDelay(milliseconds(number(step, "retry_delay_ms", 0)));
    }
    if (step.has("ack_deadline_ms")) {
      made.setAckDeadline(milliseconds(number(step, "ack_deadline_ms", 0)));
    }
    CreateSubscriptionRequest request = CreateSubscriptionRequest.newBuilder().setSubscription(made).build();
    client.subscriptions(stub -> stub.createSubscription(request));
  }

  private void subscriptionStats(JsonObject figures) throws Exception {
    GetSubscriptionRequest request =
        GetSubscriptionRequest.newBuilder().setName(figures.remove("name").getAsString()).build();
    AtomicReference<String> difference = new AtomicReference<>();
    World.eventually(
        () -> {
          Subscription seen = client.subscriptions(stub -> stub.getSubscription(request)).getSubscription();
          difference.set(Facts.difference(Facts.of(seen.getStats()), figures));
          return difference.get().isEmpty();
        },
        difference::get,
        PATIENCE);
  }

  private void parked(JsonObject step) throws Exception {
    ListParkedEventsRequest request =
        ListParkedEventsRequest.newBuilder().setSubscription(text(step, "subscription", "")).build();
    List<String> reasons = strings(step, "reasons");
    List<String> expected = new ArrayList<>(strings(step, "events"));
    for (int i = 0; i < reasons.size(); ++i) {
      expected.set(i, expected.get(i) + " PARK_REASON_" + reasons.get(i));
    }
    AtomicReference<List<String>> seen = new AtomicReference<>();
    World.eventually(
        () -> {
          List<String> listed = new ArrayList<>();
          for (ParkedEvent each :
              client.subscriptions(stub -> stub.listParkedEvents(request)).getParkedEventsList()) {
            listed.add(Subscriber.nameOf(each.getEvent()) + (reasons.isEmpty() ? "" : " " + each.getReason()));
          }
          if (flag(step, "in_any_order")) {
            Collections.sort(listed);
            Collections.sort(expected);
          }
          seen.set(listed);
          return listed.equals(expected);
        },
        () -> seen + ", not " + expected,
        PATIENCE);
  }

  private void replayParked(JsonObject step) {
    ReplayParkedEventsRequest request =
        ReplayParkedEventsRequest.newBuilder().setSubscription(text(step, "subscription", "")).setAll(true).build();
    client.subscriptions(stub -> stub.replayParkedEvents(request));
  }
}
