package io.aulm.gateway.client;

import io.aulm.gateway.v1.EventServiceGrpc;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.aulm.gateway.v1.SubscribeEventsResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * One SubscribeEvents call as a source of frames. {@link EventFeed} opens one after the other. Reads ahead by one
 * frame: who does not take holds the gateway back.
 */
final class FrameStream implements ClientResponseObserver<SubscribeEventsRequest, SubscribeEventsResponse> {
  // A frame, or the error at the end.
  private record Item(SubscribeEventsResponse frame, GatewayException end) {}

  private final BlockingQueue<Item> items = new LinkedBlockingQueue<>();
  private volatile ClientCallStreamObserver<SubscribeEventsRequest> call;

  static FrameStream open(EventServiceGrpc.EventServiceStub stub, SubscribeEventsRequest request) {
    FrameStream stream = new FrameStream();
    stub.subscribeEvents(request, stream);
    return stream;
  }

  /** The next frame. Fails with the stream's end, whatever it was: UNAVAILABLE without details for silence. */
  SubscribeEventsResponse next(Duration longestSilence) throws InterruptedException {
    Item item = items.poll(longestSilence.toNanos(), TimeUnit.NANOSECONDS);
    if (item == null) {
      throw GatewayException.of(
          Status.Code.UNAVAILABLE, "", "the gateway was silent for " + longestSilence.toMillis() + " ms", null);
    }
    if (item.end != null) {
      throw item.end;
    }
    call.request(1);
    return item.frame;
  }

  void cancel() {
    call.cancel("no longer wanted", null);
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<SubscribeEventsRequest> started) {
    call = started;
    started.disableAutoRequestWithInitial(1);
  }

  @Override
  public void onNext(SubscribeEventsResponse frame) {
    items.add(new Item(frame, null));
  }

  @Override
  public void onError(Throwable error) {
    Status status = Status.fromThrowable(error);
    StatusRuntimeException typed =
        error instanceof StatusRuntimeException known ? known : status.asRuntimeException();
    items.add(new Item(null, GatewayException.from(typed)));
  }

  @Override
  public void onCompleted() {
    items.add(new Item(null, GatewayException.of(Status.Code.UNAVAILABLE, "", "the gateway ended the stream", null)));
  }
}
