package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import io.aulm.gateway.v1.Delivery;
import io.aulm.gateway.v1.Drain;
import io.aulm.gateway.v1.EventServiceGrpc;
import io.aulm.gateway.v1.StartPosition;
import io.aulm.gateway.v1.Started;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.aulm.gateway.v1.SubscribeEventsResponse;
import io.grpc.Status;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The events from one place of the log on, over any number of streams: reconnects, resumes, waits as a Drain asks, and
 * gives up what is silent. {@link EventSubscription} pulls it, on one thread; interrupting that thread ends it.
 */
final class EventFeed {
  /** What one frame brought, and where to go on after it: null in mode SHARED. */
  record Batch(List<Delivery> deliveries, ByteString position) {}

  /** What the owner does before it connects: at the start, and after each interruption. Fails as a stream would. */
  interface BeforeConnect {
    void run(boolean first) throws Exception;
  }

  private static final Duration USUAL_HEARTBEAT = Duration.ofSeconds(20);
  private static final int SILENT_HEARTBEATS = 3;
  // What another try with the same request cannot mend.
  private static final Set<Status.Code> FINAL =
      EnumSet.of(
          Status.Code.INVALID_ARGUMENT,
          Status.Code.NOT_FOUND,
          Status.Code.ALREADY_EXISTS,
          Status.Code.PERMISSION_DENIED,
          Status.Code.UNAUTHENTICATED,
          Status.Code.FAILED_PRECONDITION,
          Status.Code.OUT_OF_RANGE,
          Status.Code.UNIMPLEMENTED);

  private final EventServiceGrpc.EventServiceStub stub;
  private final SubscribeOptions options;
  private final SubscriptionListener listener;
  private final BeforeConnect beforeConnect;
  private final Backoff backoff;
  private final Duration longestSilence;
  private FrameStream stream;
  private boolean first = true;
  private boolean hasStarted; // some stream has
  private boolean progressed; // this stream sent more than Started and Drain
  private ByteString position; // after everything that next() returned
  private Drain drained;

  EventFeed(
      EventServiceGrpc.EventServiceStub stub,
      SubscribeOptions options,
      SubscriptionListener listener,
      ByteString position,
      BeforeConnect beforeConnect) {
    this.stub = stub;
    this.options = options;
    this.listener = listener;
    this.position = position;
    this.beforeConnect = beforeConnect;
    backoff = new Backoff(options.leastBackoff(), options.mostBackoff());
    Duration heartbeat = USUAL_HEARTBEAT;
    if (options.request().hasHeartbeatInterval()) {
      com.google.protobuf.Duration asked = options.request().getHeartbeatInterval();
      heartbeat = Duration.ofSeconds(asked.getSeconds(), asked.getNanos());
    }
    longestSilence = heartbeat.multipliedBy(SILENT_HEARTBEATS);
  }

  /** What came next, however long that takes. Fails for what another try cannot mend. */
  Batch next() throws Exception {
    while (true) {
      try {
        endDrained();
        if (stream == null) {
          connect();
        }
        Batch batch = accept(stream.next(longestSilence));
        if (batch != null) {
          return batch;
        }
      } catch (GatewayException e) {
        close();
        if (FINAL.contains(e.code())) {
          throw e;
        }
        interrupted(e);
      }
    }
  }

  void close() {
    if (stream != null) {
      stream.cancel();
      stream = null;
    }
  }

  private void connect() throws Exception {
    beforeConnect.run(first);
    first = false;
    progressed = false;
    SubscribeEventsRequest request = options.requestAfter(position);
    if (hasStarted && request.getTakeOver()) {
      // Once: the consumer that ends this one by a takeover is not to be ended in turn.
      request = request.toBuilder().clearTakeOver().build();
    }
    stream = FrameStream.open(stub, request);
  }

  private Batch accept(SubscribeEventsResponse frame) {
    progressed |= !frame.hasStarted() && !frame.hasDrain();
    switch (frame.getFrameCase()) {
      case STARTED:
        return acceptStarted(frame.getStarted());
      case EVENT_BATCH:
        return moveTo(frame.getEventBatch().getResumeCursor(), frame.getEventBatch().getDeliveriesList());
      case HEARTBEAT:
        listener.onHeartbeat(frame.getHeartbeat());
        return moveTo(frame.getHeartbeat().getResumeCursor(), List.of());
      case GAP:
        listener.onGap(frame.getGap());
        return moveTo(frame.getGap().getToCursor(), List.of());
      case DRAIN:
        drained = frame.getDrain();
        return moveTo(drained.getResumeCursor(), List.of());
      default: // of a newer gateway: a sign of life
        return null;
    }
  }

  private Batch acceptStarted(Started started) {
    hasStarted = true;
    listener.onStarted(started);
    SubscribeEventsRequest request = options.request();
    boolean latest =
        request.getStartCase() == SubscribeEventsRequest.StartCase.START_NOT_SET
            || request.hasPosition() && request.getPosition() != StartPosition.START_POSITION_EARLIEST;
    // Held on to, or an interruption before the first event would start at a newer "latest" and skip what came between.
    return position == null && latest && !options.durable() ? moveTo(started.getHeadCursor(), List.of()) : null;
  }

  private Batch moveTo(ByteString cursor, List<Delivery> deliveries) {
    if (cursor.isEmpty()) {
      return new Batch(deliveries, null);
    }
    position = cursor;
    return new Batch(deliveries, cursor);
  }

  private void endDrained() {
    if (drained != null) {
      Drain drain = drained;
      drained = null;
      Duration after = Duration.ofSeconds(drain.getReconnectAfter().getSeconds(), drain.getReconnectAfter().getNanos());
      throw GatewayException.of(Status.Code.UNAVAILABLE, "DRAINING", drain.getReason(), after);
    }
  }

  // Waits before the next stream: at least as long as asked, and longer with each stream that came to nothing.
  private void interrupted(GatewayException error) throws InterruptedException {
    boolean askedToComeBack = progressed && error.reason().equals("DRAINING");
    if (progressed) {
      backoff.reset();
    }
    progressed = false;
    Duration wait = Backoff.spread(error.retryAfter().orElse(Duration.ZERO));
    if (!askedToComeBack) {
      Duration next = backoff.next();
      wait = wait.compareTo(next) > 0 ? wait : next;
    }
    listener.onInterrupted(error, wait);
    Thread.sleep(wait.toMillis());
  }
}
