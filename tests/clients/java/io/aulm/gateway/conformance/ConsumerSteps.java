package io.aulm.gateway.conformance;

import static io.aulm.gateway.conformance.Table.flag;
import static io.aulm.gateway.conformance.Table.number;
import static io.aulm.gateway.conformance.Table.only;
import static io.aulm.gateway.conformance.Table.strings;
import static io.aulm.gateway.conformance.Table.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import io.aulm.gateway.client.FileCursorStore;
import io.aulm.gateway.client.GatewayClient;
import io.aulm.gateway.client.GatewayException;
import io.aulm.gateway.client.SubscribeOptions;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.EventFilter;
import io.aulm.gateway.v1.EventType;
import io.aulm.gateway.v1.MessageStatus;
import io.aulm.gateway.v1.OnExpiredCursor;
import io.aulm.gateway.v1.StartPosition;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.aulm.gateway.v1.TestEvents;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** A conformance case's steps that are about consumers: {@link ConformanceCase} has the others. Not thread-safe. */
final class ConsumerSteps {
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final Duration LONGEST_STOP = Duration.ofSeconds(5);

  private final GatewayClient client;
  private final Table table;
  private final Path folder;
  private final Map<String, Subscriber> subscribers = new HashMap<>();
  private final Map<Subscriber, Map<String, Integer>> counted = new HashMap<>(); // notices, by kind

  /** {@code folder} keeps the cursor files. */
  ConsumerSteps(GatewayClient client, Table table, Path folder) {
    this.client = client;
    this.table = table;
    this.folder = folder;
  }

  /** Takes a step; fails for one that it does not know. */
  void take(String verb, JsonElement given) throws Exception {
    switch (verb) {
      case "subscribe" -> subscribe(given);
      case "handling" -> handling(only(given, "by", "events"));
      case "handled" -> handled(only(given, "by", "events", "in_any_order", "raw_bodies", "attempts"));
      case "release" -> release(only(given, "by", "events"));
      case "notice" -> notice(only(given, "by", "kind", "count", "expect"));
      case "stopping" -> by(given.getAsString()).stop();
      case "stop" -> stop(by(given.getAsString()));
      case "ended" -> ended(only(given, "by", "error", "handler_failed"));
      case "copy_store" -> copyStore(only(given, "from", "to"));
      default -> throw new IllegalArgumentException(verb + ": not known to this runner");
    }
  }

  /** Stops every consumer, whatever holds its handlers. */
  void stopAll() {
    subscribers.values().forEach(Subscriber::stop);
    subscribers.values().forEach(Subscriber::releaseAll);
  }

  private void subscribe(JsonElement given) {
    JsonObject step =
        only(
            given, "as", "start", "filter", "heartbeat_ms", "on_expired_cursor", "include_raw_body", "cursor_store",
            "concurrency", "subscription", "mode", "max_outstanding_events", "hold", "fail", "settle");
    SubscribeEventsRequest.Builder request =
        SubscribeEventsRequest.newBuilder()
            .setSubscription(text(step, "subscription", ""))
            .setIncludeRawBody(flag(step, "include_raw_body"))
            .setMaxOutstandingEvents(number(step, "max_outstanding_events", 0))
            .setOnExpiredCursor(
                OnExpiredCursor.valueOf("ON_EXPIRED_CURSOR_" + text(step, "on_expired_cursor", "UNSPECIFIED")));
    if (step.has("start")) {
      start(request, step.get("start"));
    }
    if (step.has("filter")) {
      request.setFilter(filter(step.get("filter")));
    }
    if (step.has("heartbeat_ms")) {
      request.setHeartbeatInterval(ConformanceCase.milliseconds(number(step, "heartbeat_ms", 0)));
    }
    SubscribeOptions options = SubscribeOptions.of(request.build()).withConcurrency(number(step, "concurrency", 1));
    if (step.has("cursor_store")) {
      options = options.withCursorStore(new FileCursorStore(storeFile(text(step, "cursor_store", ""))));
    }
    Map<String, List<String>> settle = new HashMap<>();
    if (step.has("settle")) {
      JsonObject verdicts = step.getAsJsonObject("settle");
      verdicts.keySet().forEach(name -> settle.put(name, strings(verdicts, name)));
    }
    Subscriber subscriber = new Subscriber(client, options, strings(step, "hold"), strings(step, "fail"), settle);
    subscribers.put(step.get("as").getAsString(), subscriber);
  }

  private void start(SubscribeEventsRequest.Builder request, JsonElement given) {
    if (given.isJsonPrimitive()) {
      request.setPosition(StartPosition.valueOf("START_POSITION_" + given.getAsString()));
      return;
    }
    JsonObject value = only(given, "cursor_of", "time_of", "cursor_base64");
    if (value.has("cursor_of")) {
      request.setAfterCursor(event(text(value, "cursor_of", "")).getCursor());
    } else if (value.has("time_of")) {
      request.setStartTime(event(text(value, "time_of", "")).getIngestedTime());
    } else {
      request.setAfterCursor(ByteString.copyFrom(Base64.getDecoder().decode(text(value, "cursor_base64", ""))));
    }
  }

  private EventFilter filter(JsonElement given) {
    JsonObject filter = only(given, "types", "session_ids", "peers", "message_ids", "statuses", "test_events");
    return EventFilter.newBuilder()
        .addAllTypes(strings(filter, "types").stream().map(each -> EventType.valueOf("EVENT_TYPE_" + each)).toList())
        .addAllSessionIds(strings(filter, "session_ids").stream().map(table::session).toList())
        .addAllPeers(strings(filter, "peers"))
        .addAllMessageIds(strings(filter, "message_ids"))
        .addAllStatuses(
            strings(filter, "statuses").stream().map(each -> MessageStatus.valueOf("MESSAGE_STATUS_" + each)).toList())
        .setTestEvents(TestEvents.valueOf("TEST_EVENTS_" + text(filter, "test_events", "UNSPECIFIED")))
        .build();
  }

  private Event event(String name) {
    return subscribers.values().stream()
        .flatMap(each -> each.handled().stream())
        .filter(each -> each.name().equals(name))
        .findFirst()
        .orElseThrow()
        .event();
  }

  private Subscriber by(String name) {
    Subscriber found = subscribers.get(name);
    if (found == null) {
      throw new IllegalArgumentException("there is no consumer " + name);
    }
    return found;
  }

  // What all of these consumers together did, in the order of time.
  private List<Subscriber.Handled> together(
      JsonObject step, Function<Subscriber, List<Subscriber.Handled>> which) {
    return strings(step, "by").stream()
        .flatMap(name -> which.apply(by(name)).stream())
        .sorted(Comparator.comparingLong(Subscriber.Handled::at))
        .toList();
  }

  private static List<String> names(List<Subscriber.Handled> events, boolean sorted) {
    Stream<String> names = events.stream().map(Subscriber.Handled::name);
    return (sorted ? names.sorted() : names).toList();
  }

  private static void await(Supplier<List<String>> seen, List<String> expected) throws Exception {
    World.eventually(() -> seen.get().equals(expected), () -> seen.get() + ", not " + expected, PATIENCE);
  }

  private void handling(JsonObject step) throws Exception {
    await(
        () -> names(together(step, Subscriber::handling), true), strings(step, "events").stream().sorted().toList());
  }

  private void handled(JsonObject step) throws Exception {
    boolean sorted = flag(step, "in_any_order");
    List<String> expected = strings(step, "events");
    await(
        () -> names(together(step, Subscriber::handled), sorted),
        sorted ? expected.stream().sorted().toList() : expected);
    List<Subscriber.Handled> handled = together(step, Subscriber::handled);
    if (step.has("raw_bodies")) {
      assertEquals(
          strings(step, "raw_bodies"), handled.stream().map(each -> each.event().getRawBody().toStringUtf8()).toList());
    }
    if (step.has("attempts")) {
      assertEquals(
          strings(step, "attempts"), handled.stream().map(each -> Integer.toString(each.attempt())).toList());
    }
  }

  private void release(JsonObject step) {
    strings(step, "by").forEach(name -> strings(step, "events").forEach(by(name)::release));
  }

  private void notice(JsonObject step) throws Exception {
    Subscriber subscriber = by(text(step, "by", ""));
    String kind = text(step, "kind", "");
    if (!List.of("started", "heartbeat", "gap", "interrupted").contains(kind)) {
      throw new IllegalArgumentException(kind + ": not known to this runner");
    }
    JsonObject expected = step.has("expect") ? step.getAsJsonObject("expect") : new JsonObject();
    Map<String, Integer> before = counted.computeIfAbsent(subscriber, each -> new HashMap<>());
    Supplier<List<Subscriber.Notice>> ofKind =
        () -> subscriber.notices().stream().filter(each -> each.kind().equals(kind)).toList();
    World.eventually(
        () ->
            ofKind.get().stream()
                    .skip(before.getOrDefault(kind, 0))
                    .filter(each -> Facts.difference(each.facts(), expected).isEmpty())
                    .count()
                >= number(step, "count", 1),
        () -> subscriber.notices().toString(),
        PATIENCE);
    before.put(kind, ofKind.get().size());
  }

  // The error that it ended with; null where it ended without.
  private static Throwable end(Subscriber subscriber, Duration patience) throws Exception {
    try {
      subscriber.ended().get(patience.toMillis(), TimeUnit.MILLISECONDS);
      return null;
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }

  private static void stop(Subscriber subscriber) throws Exception {
    subscriber.stop();
    Throwable error = end(subscriber, LONGEST_STOP);
    if (error != null) {
      throw new AssertionError("it ended with an error", error);
    }
  }

  private void ended(JsonObject step) throws Exception {
    Throwable error = end(by(text(step, "by", "")), PATIENCE);
    if (flag(step, "handler_failed")) {
      assertInstanceOf(Subscriber.HandlerFailed.class, error);
    } else {
      JsonObject facts = Facts.of(assertInstanceOf(GatewayException.class, error));
      assertEquals("", Facts.difference(facts, step.get("error")));
    }
  }

  private void copyStore(JsonObject step) throws Exception {
    Path from = storeFile(text(step, "from", ""));
    if (Files.exists(from)) {
      Files.copy(from, storeFile(text(step, "to", "")), StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private Path storeFile(String name) {
    return folder.resolve(name + ".cursor");
  }
}
