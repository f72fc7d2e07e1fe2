package io.aulm.gateway.conformance;

import com.google.gson.JsonObject;
import io.aulm.gateway.client.EventSubscription;
import io.aulm.gateway.client.GatewayClient;
import io.aulm.gateway.client.GatewayException;
import io.aulm.gateway.client.SubscribeOptions;
import io.aulm.gateway.client.SubscriptionListener;
import io.aulm.gateway.client.Verdict;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.Gap;
import io.aulm.gateway.v1.Heartbeat;
import io.aulm.gateway.v1.Started;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One consumer of a conformance case: its handler holds, fails and settles as the case says, and what happened is kept.
 * Thread-safe.
 */
final class Subscriber implements SubscriptionListener {
  /** An event that a handler has, or had; {@code at} orders those of all subscribers. */
  record Handled(String name, Event event, int attempt, long at) {}

  /** What the client told beside the events. */
  record Notice(String kind, JsonObject facts) {}

  /** Thrown by a handler that shall fail. */
  static final class HandlerFailed extends Exception {
    private static final long serialVersionUID = 1;

    HandlerFailed(String name) {
      super(name);
    }
  }

  private static final AtomicLong CLOCK = new AtomicLong();

  private final Map<String, CountDownLatch> held = new HashMap<>(); // never changed after the constructor
  private final Set<String> failing;
  private final Map<String, Deque<String>> verdicts = new HashMap<>(); // this and what follows under this
  private final List<Handled> handling = new ArrayList<>();
  private final List<Handled> handled = new ArrayList<>();
  private final List<Notice> notices = new ArrayList<>();
  private final EventSubscription subscription;

  /** Starts it. {@code settle} has the verdicts for an event, one a delivery; ACK after these. */
  Subscriber(
      GatewayClient client,
      SubscribeOptions options,
      Collection<String> hold,
      Collection<String> fail,
      Map<String, List<String>> settle) {
    hold.forEach(name -> held.put(name, new CountDownLatch(1)));
    failing = Set.copyOf(fail);
    settle.forEach((name, each) -> verdicts.put(name, new ArrayDeque<>(each)));
    SubscribeOptions told =
        options
            .withCursorSaveInterval(Duration.ZERO)
            .withBackoff(Duration.ofMillis(20), Duration.ofMillis(200))
            .withListener(this);
    subscription = client.consume(told, this::handle);
  }

  /** The name of an event in the table. */
  static String nameOf(Event event) {
    return switch (event.getPayloadCase()) {
      case INBOUND_MESSAGE -> event.getInboundMessage().getBody();
      case MESSAGE_STATUS -> event.getMessageStatus().getAulmStatus();
      default -> event.getEventName();
    };
  }

  synchronized List<Handled> handling() {
    return List.copyOf(handling);
  }

  synchronized List<Handled> handled() {
    return List.copyOf(handled);
  }

  synchronized List<Notice> notices() {
    return List.copyOf(notices);
  }

  void stop() {
    subscription.stop();
  }

  CompletableFuture<Void> ended() {
    return subscription.ended();
  }

  void release(String name) {
    if (held.containsKey(name)) {
      held.get(name).countDown();
    }
  }

  void releaseAll() {
    held.values().forEach(CountDownLatch::countDown);
  }

  private Verdict handle(Event event, int attempt) throws Exception {
    String name = nameOf(event);
    Handled each = new Handled(name, event, attempt, CLOCK.incrementAndGet());
    synchronized (this) {
      handling.add(each);
    }
    if (held.containsKey(name)) {
      held.get(name).await();
    }
    String verdict = end(each);
    return switch (verdict) {
      case "ACK" -> Verdict.ACK;
      case "RETRY" -> Verdict.RETRY;
      case "PARK" -> Verdict.PARK;
      case "SKIP" -> Verdict.SKIP;
      case "FAIL" -> throw new HandlerFailed(name);
      default -> throw new IllegalArgumentException(verdict + ": not known to this runner");
    };
  }

  private synchronized String end(Handled each) throws HandlerFailed {
    handling.remove(each);
    if (failing.contains(each.name)) {
      throw new HandlerFailed(each.name); // counts as handled in a SHARED subscription alone, where settle says FAIL
    }
    handled.add(new Handled(each.name, each.event, each.attempt, CLOCK.incrementAndGet()));
    Deque<String> left = verdicts.get(each.name);
    return left == null || left.isEmpty() ? "ACK" : left.removeFirst();
  }

  private synchronized void notice(String kind, JsonObject facts) {
    notices.add(new Notice(kind, facts));
  }

  @Override
  public void onStarted(Started started) {
    notice("started", Facts.of(started));
  }

  @Override
  public void onHeartbeat(Heartbeat heartbeat) {
    notice("heartbeat", Facts.of(heartbeat));
  }

  @Override
  public void onGap(Gap gap) {
    notice("gap", Facts.of(gap));
  }

  @Override
  public void onInterrupted(GatewayException error, Duration wait) {
    notice("interrupted", Facts.of(error));
  }
}
