package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.aulm.gateway.v1.AcknowledgeEventsRequest;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.EventServiceGrpc;
import io.aulm.gateway.v1.GetMessageRequest;
import io.aulm.gateway.v1.GetMessageResponse;
import io.aulm.gateway.v1.GetQuotaRequest;
import io.aulm.gateway.v1.GetQuotaResponse;
import io.aulm.gateway.v1.GetSessionStatusRequest;
import io.aulm.gateway.v1.GetSubscriptionRequest;
import io.aulm.gateway.v1.MessagingServiceGrpc;
import io.aulm.gateway.v1.QuotaServiceGrpc;
import io.aulm.gateway.v1.ReadEventsRequest;
import io.aulm.gateway.v1.ReadEventsResponse;
import io.aulm.gateway.v1.SendImageRequest;
import io.aulm.gateway.v1.SendImageResponse;
import io.aulm.gateway.v1.SendTextRequest;
import io.aulm.gateway.v1.SendTextResponse;
import io.aulm.gateway.v1.Session;
import io.aulm.gateway.v1.SessionServiceGrpc;
import io.aulm.gateway.v1.SubscriptionServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.AbstractBlockingStub;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Calls one gateway: sends that are tried again where that is safe, typed errors, deadlines, and subscriptions that
 * survive whatever happens to the connection. One client serves a whole process. Thread-safe; unary calls block, and
 * fail with {@link GatewayException}. Does not connect before the first call.
 */
public final class GatewayClient implements AutoCloseable {
  private static final Duration ACKNOWLEDGE_TIMEOUT = Duration.ofSeconds(3);

  private final ManagedChannel channel;
  private final GatewayClientBuilder settings;
  private final Set<EventSubscription> subscriptions = ConcurrentHashMap.newKeySet();

  GatewayClient(ManagedChannel channel, GatewayClientBuilder settings) {
    this.channel = channel;
    this.settings = settings;
  }

  /** A client of the gateway at {@code target}: "host:port", "dns:///host:port", "unix:path". */
  public static GatewayClientBuilder builder(String target) {
    return new GatewayClientBuilder(target);
  }

  /** The channel, for generated stubs of your own: they have no default deadlines, and grpc-java's own errors. */
  public ManagedChannel channel() {
    return channel;
  }

  /** Sends a text within the client's deadline; makes a request id where it has none. */
  public SendTextResponse sendText(SendTextRequest request) {
    return sendText(request, settings.sendTimeout);
  }

  /**
   * Sends a text. Tries again, under the one request id, what was not sent or may not have reached the gateway; {@link
   * GatewayException#outcome} says whether it may have gone out.
   */
  public SendTextResponse sendText(SendTextRequest request, Duration timeout) {
    String id = requestId(request.getRequestId());
    SendTextRequest named = request.toBuilder().setRequestId(id).build();
    checkSend(named, id);
    SendRetry retry = new SendRetry(id, timeout, settings.leastSendBackoff, settings.mostSendBackoff);
    return retry.run(left -> within(MessagingServiceGrpc.newBlockingStub(connecting()), left).sendText(named));
  }

  /** Sends an image within the client's deadline; otherwise as {@link #sendText(SendTextRequest)}. */
  public SendImageResponse sendImage(SendImageRequest request) {
    return sendImage(request, settings.sendTimeout);
  }

  /** Sends an image; otherwise as {@link #sendText(SendTextRequest, Duration)}. */
  public SendImageResponse sendImage(SendImageRequest request, Duration timeout) {
    String id = requestId(request.getRequestId());
    SendImageRequest named = request.toBuilder().setRequestId(id).build();
    checkSend(named, id);
    SendRetry retry = new SendRetry(id, timeout, settings.leastSendBackoff, settings.mostSendBackoff);
    return retry.run(left -> within(MessagingServiceGrpc.newBlockingStub(connecting()), left).sendImage(named));
  }

  /** What became of a send, and each status that aulm has told since. */
  public GetMessageResponse getMessage(GetMessageRequest request) {
    return read(MessagingServiceGrpc.newBlockingStub(channel), stub -> stub.getMessage(request));
  }

  /** A session's state, which the gateway asks aulm for. */
  public Session getSessionStatus(String sessionId) {
    GetSessionStatusRequest request = GetSessionStatusRequest.newBuilder().setSessionId(sessionId).build();
    return read(SessionServiceGrpc.newBlockingStub(channel), stub -> stub.getSessionStatus(request)).getSession();
  }

  /** What aulm last told of an account's quota; "" is the account "default". */
  public GetQuotaResponse getQuota(String account) {
    GetQuotaRequest request = GetQuotaRequest.newBuilder().setAccount(account).build();
    return read(QuotaServiceGrpc.newBlockingStub(channel), stub -> stub.getQuota(request));
  }

  /** One page of the log. */
  public ReadEventsResponse readEvents(ReadEventsRequest request) {
    return read(EventServiceGrpc.newBlockingStub(channel), stub -> stub.readEvents(request));
  }

  /**
   * A call of the durable subscriptions' service, with the client's deadline and errors: {@code
   * client.subscriptions(stub -> stub.createSubscription(request))}.
   */
  public <T> T subscriptions(Function<SubscriptionServiceGrpc.SubscriptionServiceBlockingStub, T> call) {
    return read(SubscriptionServiceGrpc.newBlockingStub(channel), call);
  }

  /** Hands events to {@code handler} until the subscription is closed; each counts as handled when it returns. */
  public EventSubscription subscribe(SubscribeOptions options, Consumer<Event> handler) {
    return consume(
        options,
        (event, attempt) -> {
          handler.accept(event);
          return Verdict.ACK;
        });
  }

  /**
   * Hands events to {@code handler}, which says what becomes of each delivery of a durable subscription of mode SHARED.
   */
  public EventSubscription consume(SubscribeOptions options, EventHandler handler) {
    CursorStore store = options.durable() ? serverStore(options.request().getSubscription()) : options.cursorStore();
    EventSubscription subscription = new EventSubscription(new Calls(), options, store, handler);
    subscriptions.add(subscription);
    subscription.ended().whenComplete((nothing, error) -> subscriptions.remove(subscription));
    return subscription;
  }

  /** Closes every subscription, then the connections. Calls that are under way fail. */
  @Override
  public void close() {
    subscriptions.forEach(EventSubscription::stop);
    subscriptions.forEach(EventSubscription::close);
    channel.shutdownNow();
    try {
      channel.awaitTermination(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  // A lost gateway is looked for at once: grpc-java's own backoff would grow to two minutes, and ours spaces the tries.
  private ManagedChannel connecting() {
    channel.resetConnectBackoff();
    return channel;
  }

  // Refuses what cannot be sent.
  private void checkSend(MessageLite request, String requestId) {
    if (channel.isShutdown()) {
      throw GatewayException.notMade(Status.Code.CANCELLED, "the client is closed", requestId);
    }
    int bytes = request.getSerializedSize();
    if (bytes > GatewayClientBuilder.MAX_MESSAGE_BYTES) {
      String words = "the request has " + bytes + " bytes, the gateway takes " + GatewayClientBuilder.MAX_MESSAGE_BYTES;
      throw GatewayException.notMade(Status.Code.INVALID_ARGUMENT, words + ": an image may have 5 MiB", requestId);
    }
  }

  private static String requestId(String given) {
    return given.isEmpty() ? UUID.randomUUID().toString() : given;
  }

  static <S extends AbstractBlockingStub<S>> S within(S stub, Duration timeout) {
    return stub.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
  }

  private <S extends AbstractBlockingStub<S>, T> T read(S stub, Function<S, T> call) {
    if (settings.readTimeout.isZero() || settings.readTimeout.isNegative()) { // gRPC may call all the same
      throw GatewayException.of(
          Status.Code.DEADLINE_EXCEEDED, "", "no time was left for the call: it was not made", null);
    }
    try {
      return call.apply(within(stub, settings.readTimeout));
    } catch (StatusRuntimeException e) {
      throw GatewayException.from(e);
    }
  }

  private io.aulm.gateway.v1.AcknowledgeEventsResponse acknowledge(AcknowledgeEventsRequest request) {
    try {
      return within(EventServiceGrpc.newBlockingStub(channel), ACKNOWLEDGE_TIMEOUT).acknowledgeEvents(request);
    } catch (StatusRuntimeException e) {
      throw GatewayException.from(e);
    }
  }

  // A durable subscription of mode CURSOR keeps the position in the gateway.
  private CursorStore serverStore(String subscription) {
    return new CursorStore() {
      @Override
      public Optional<ByteString> load() {
        return Optional.empty();
      }

      @Override
      public void save(ByteString cursor) throws IOException {
        acknowledge(AcknowledgeEventsRequest.newBuilder().setSubscription(subscription).setUpToCursor(cursor).build());
      }
    };
  }

  private final class Calls implements EventSubscription.Gateway {
    @Override
    public EventFeed feed(
        SubscribeOptions options, SubscriptionListener listener, ByteString position, EventFeed.BeforeConnect run) {
      EventFeed.BeforeConnect connecting =
          first -> {
            connecting();
            run.run(first);
          };
      return new EventFeed(EventServiceGrpc.newStub(channel), options, listener, position, connecting);
    }

    @Override
    public Settler settler(String subscription, ExecutorService executor) {
      return new Settler(subscription, request -> acknowledge(request).getResultsList(), executor);
    }

    @Override
    public Duration ackDeadline(String name) {
      GetSubscriptionRequest request = GetSubscriptionRequest.newBuilder().setName(name).build();
      com.google.protobuf.Duration told =
          subscriptions(stub -> stub.getSubscription(request)).getSubscription().getAckDeadline();
      Duration deadline = Duration.ofSeconds(told.getSeconds(), told.getNanos());
      return deadline.isZero() ? Duration.ofSeconds(30) : deadline;
    }
  }
}
