package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import io.aulm.gateway.v1.AcknowledgeEventsRequest;
import io.aulm.gateway.v1.AcknowledgeEventsResponse;
import io.aulm.gateway.v1.Delivery;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.EventBatch;
import io.aulm.gateway.v1.EventServiceGrpc;
import io.aulm.gateway.v1.GetSubscriptionRequest;
import io.aulm.gateway.v1.GetSubscriptionResponse;
import io.aulm.gateway.v1.InboundMessage;
import io.aulm.gateway.v1.MessagingServiceGrpc;
import io.aulm.gateway.v1.SendTextRequest;
import io.aulm.gateway.v1.SendTextResponse;
import io.aulm.gateway.v1.Settlement;
import io.aulm.gateway.v1.SettlementAction;
import io.aulm.gateway.v1.SettlementResult;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.aulm.gateway.v1.SubscribeEventsResponse;
import io.aulm.gateway.v1.Subscription;
import io.aulm.gateway.v1.SubscriptionServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A gateway on a free loopback port: takes sends, streams what a test says, and keeps what it was asked. */
final class FakeGateway implements AutoCloseable {
  final Queue<SendTextRequest> sends = new ConcurrentLinkedQueue<>();
  final BlockingQueue<SubscribeEventsRequest> subscribed = new LinkedBlockingQueue<>();
  final BlockingQueue<Settlement> settled = new LinkedBlockingQueue<>();
  volatile List<SubscribeEventsResponse> frames = List.of(); // of each stream, which then stays open
  private final Server server;

  FakeGateway() throws IOException {
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(new Messaging())
            .addService(new Events())
            .addService(new Subscriptions())
            .build()
            .start();
  }

  GatewayClientBuilder client() {
    return GatewayClient.builder("127.0.0.1:" + server.getPort());
  }

  /** A batch of one event from {@code peer}; with a token that is its cursor, where {@code shared}. */
  static SubscribeEventsResponse batch(String cursor, String peer, boolean shared) {
    Event event =
        Event.newBuilder()
            .setCursor(ByteString.copyFromUtf8(cursor))
            .setInboundMessage(InboundMessage.newBuilder().setFrom(peer))
            .build();
    Delivery.Builder delivery = Delivery.newBuilder().setEvent(event);
    EventBatch.Builder batch = EventBatch.newBuilder();
    if (shared) {
      delivery.setAckToken(event.getCursor()).setAttempt(1);
    } else {
      batch.setResumeCursor(event.getCursor());
    }
    return SubscribeEventsResponse.newBuilder().setEventBatch(batch.addDeliveries(delivery)).build();
  }

  /** Waits for the settlement of a delivery. */
  void awaitSettled(String token, SettlementAction action) throws InterruptedException {
    Settlement settlement;
    do {
      settlement = settled.poll(20, TimeUnit.SECONDS);
      if (settlement == null) {
        throw new AssertionError(token + " was not settled as " + action);
      }
    } while (settlement.getAction() != action || !settlement.getAckToken().toStringUtf8().equals(token));
  }

  @Override
  public void close() throws InterruptedException {
    server.shutdownNow().awaitTermination();
  }

  private static <T> void answer(StreamObserver<T> observer, T response) {
    observer.onNext(response);
    observer.onCompleted();
  }

  private final class Messaging extends MessagingServiceGrpc.MessagingServiceImplBase {
    @Override
    public void sendText(SendTextRequest request, StreamObserver<SendTextResponse> observer) {
      sends.add(request);
      answer(observer, SendTextResponse.getDefaultInstance());
    }
  }

  private final class Events extends EventServiceGrpc.EventServiceImplBase {
    @Override
    public void subscribeEvents(SubscribeEventsRequest request, StreamObserver<SubscribeEventsResponse> observer) {
      subscribed.add(request);
      frames.forEach(observer::onNext);
    }

    @Override
    public void acknowledgeEvents(
        AcknowledgeEventsRequest request, StreamObserver<AcknowledgeEventsResponse> observer) {
      AcknowledgeEventsResponse.Builder response = AcknowledgeEventsResponse.newBuilder();
      request.getSettlementsList().forEach(
          each -> response.addResults(SettlementResult.newBuilder().setAckToken(each.getAckToken())));
      answer(observer, response.build());
      settled.addAll(request.getSettlementsList());
    }
  }

  private final class Subscriptions extends SubscriptionServiceGrpc.SubscriptionServiceImplBase {
    @Override
    public void getSubscription(GetSubscriptionRequest request, StreamObserver<GetSubscriptionResponse> observer) {
      Subscription subscription =
          Subscription.newBuilder().setAckDeadline(Duration.newBuilder().setNanos(60_000_000)).build();
      answer(observer, GetSubscriptionResponse.newBuilder().setSubscription(subscription).build());
    }
  }
}
