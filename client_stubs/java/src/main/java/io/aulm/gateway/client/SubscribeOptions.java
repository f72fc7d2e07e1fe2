package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import java.time.Duration;
import java.util.Objects;

/**
 * How to follow events. Immutable.
 *
 * @param request where to start (LATEST where absent), the filter, a durable subscription's name, and the rest; its
 *     start holds as long as {@code cursorStore} has no cursor
 * @param concurrency how many handlers may run at the same time
 * @param cursorStore keeps the position over restarts; null: each start is anew
 * @param cursorSaveInterval the position is saved at most this often, and at the end; a crash repeats the events since
 * @param leastBackoff the wait after a first failure to connect, jittered
 * @param mostBackoff the longest wait after further ones
 * @param listener told of what happens beside the events
 */
public record SubscribeOptions(
    SubscribeEventsRequest request,
    int concurrency,
    CursorStore cursorStore,
    Duration cursorSaveInterval,
    Duration leastBackoff,
    Duration mostBackoff,
    SubscriptionListener listener) {

  /** Checks them: options that contradict each other are an IllegalArgumentException. */
  public SubscribeOptions {
    Objects.requireNonNull(request);
    Objects.requireNonNull(listener);
    if (concurrency < 1) {
      throw new IllegalArgumentException("concurrency is " + concurrency + ": at least 1");
    }
    if (!request.getSubscription().isEmpty()) {
      boolean placed = request.getStartCase() != SubscribeEventsRequest.StartCase.START_NOT_SET;
      if (placed || request.hasFilter() || cursorStore != null) {
        throw new IllegalArgumentException(
            "a durable subscription keeps start, filter and position in the gateway: leave them out");
      }
    }
  }

  /** Follows {@code request}: 16 handlers at once, no store. */
  public static SubscribeOptions of(SubscribeEventsRequest request) {
    return new SubscribeOptions(
        request, 16, null, Duration.ofSeconds(1), Duration.ofMillis(200), Duration.ofSeconds(10),
        new SubscriptionListener() {});
  }

  /** With another concurrency. */
  public SubscribeOptions withConcurrency(int handlers) {
    return new SubscribeOptions(
        request, handlers, cursorStore, cursorSaveInterval, leastBackoff, mostBackoff, listener);
  }

  /** With a store of the position. */
  public SubscribeOptions withCursorStore(CursorStore store) {
    return new SubscribeOptions(
        request, concurrency, store, cursorSaveInterval, leastBackoff, mostBackoff, listener);
  }

  /** With another interval of saving; zero saves after each event. */
  public SubscribeOptions withCursorSaveInterval(Duration interval) {
    return new SubscribeOptions(request, concurrency, cursorStore, interval, leastBackoff, mostBackoff, listener);
  }

  /** With other waits before reconnecting. */
  public SubscribeOptions withBackoff(Duration least, Duration most) {
    return new SubscribeOptions(request, concurrency, cursorStore, cursorSaveInterval, least, most, listener);
  }

  /** With a listener. */
  public SubscribeOptions withListener(SubscriptionListener told) {
    return new SubscribeOptions(
        request, concurrency, cursorStore, cursorSaveInterval, leastBackoff, mostBackoff, told);
  }

  boolean durable() {
    return !request.getSubscription().isEmpty();
  }

  /** The request for a stream that goes on after {@code position}, or at the start that was asked for. */
  SubscribeEventsRequest requestAfter(ByteString position) {
    return position == null || durable() ? request : request.toBuilder().setAfterCursor(position).build();
  }
}
