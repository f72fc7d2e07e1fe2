package io.aulm.gateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.aulm.gateway.v1.Drain;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.SettlementAction;
import io.aulm.gateway.v1.Started;
import io.aulm.gateway.v1.SubscribeEventsRequest;
import io.aulm.gateway.v1.SubscribeEventsResponse;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What ends a subscription, and what it tells. */
final class EventSubscriptionTest {
  private static final SubscribeOptions LIVE = SubscribeOptions.of(SubscribeEventsRequest.getDefaultInstance());
  private static final SubscribeOptions DURABLE =
      SubscribeOptions.of(SubscribeEventsRequest.newBuilder().setSubscription("orders").build());

  @TempDir Path folder;
  private FakeGateway gateway;
  private GatewayClient client;

  @BeforeEach
  void start() throws IOException {
    gateway = new FakeGateway();
    client = gateway.client().build();
  }

  @AfterEach
  void stop() throws InterruptedException {
    client.close();
    gateway.close();
  }

  private static Throwable endOf(EventSubscription subscription) {
    return assertThrows(
            CompletionException.class, () -> subscription.ended().orTimeout(20, TimeUnit.SECONDS).join())
        .getCause();
  }

  @Test
  void storeThatCannotBeWrittenEndsIt() {
    gateway.frames = List.of(FakeGateway.batch("1", "a", false));
    SubscribeOptions stored = LIVE.withCursorStore(new FileCursorStore(folder.resolve("none").resolve("position")));
    assertInstanceOf(NoSuchFileException.class, endOf(client.subscribe(stored, event -> {})));
  }

  @Test
  void storeThatCannotBeWrittenAtTheEndIsAnErrorToo() throws InterruptedException {
    gateway.frames = List.of(FakeGateway.batch("1", "a", false), FakeGateway.batch("2", "a", false));
    CountDownLatch saved = new CountDownLatch(1);
    CountDownLatch handled = new CountDownLatch(1);
    CursorStore store =
        new CursorStore() {
          @Override
          public Optional<ByteString> load() {
            return Optional.empty();
          }

          @Override
          public void save(ByteString cursor) throws IOException {
            if (cursor.toStringUtf8().equals("2")) {
              throw new IOException("full");
            }
            saved.countDown();
          }
        };
    EventSubscription subscription =
        client.consume(
            LIVE.withCursorStore(store).withCursorSaveInterval(Duration.ofHours(1)),
            (event, attempt) -> {
              if (event.getCursor().toStringUtf8().equals("2")) {
                saved.await();
                handled.countDown();
              }
              return Verdict.ACK;
            });
    assertTrue(handled.await(20, TimeUnit.SECONDS));
    subscription.stop();
    assertEquals("full", endOf(subscription).getMessage());
  }

  @Test
  void verdictThatIsNullEndsItAndSaysSo() {
    gateway.frames = List.of(FakeGateway.batch("1", "a", true));
    Throwable shared = endOf(client.consume(DURABLE, (event, attempt) -> null));
    assertTrue(shared.getMessage().contains("returned null: return Verdict.ACK"), shared.getMessage());
    gateway.frames = List.of(FakeGateway.batch("1", "a", false));
    Throwable ordered = endOf(client.consume(LIVE, (event, attempt) -> null));
    assertTrue(ordered.getMessage().contains("returned null: return Verdict.ACK"), ordered.getMessage());
  }

  @Test
  void verdictThatSettlesNothingCannotBeMade() {
    assertThrows(
        IllegalArgumentException.class, () -> new Verdict(SettlementAction.SETTLEMENT_ACTION_EXTEND, null));
  }

  @Test
  void stoppingHandsBackAtOnceWhatNoHandlerSaw() throws InterruptedException {
    gateway.frames = List.of(FakeGateway.batch("1", "a", true), FakeGateway.batch("2", "a", true));
    CountDownLatch handling = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    EventSubscription subscription =
        client.consume(
            DURABLE,
            (event, attempt) -> {
              handling.countDown();
              release.await();
              return Verdict.ACK;
            });
    assertTrue(handling.await(20, TimeUnit.SECONDS));
    gateway.awaitSettled("2", SettlementAction.SETTLEMENT_ACTION_EXTEND); // it has come, and waits for the first
    subscription.stop();
    gateway.awaitSettled("2", SettlementAction.SETTLEMENT_ACTION_RETRY);
    release.countDown();
    gateway.awaitSettled("1", SettlementAction.SETTLEMENT_ACTION_ACK);
    subscription.close();
  }

  @Test
  void takeoverIsAskedForOnce() throws InterruptedException {
    gateway.frames =
        List.of(
            SubscribeEventsResponse.newBuilder().setStarted(Started.getDefaultInstance()).build(),
            SubscribeEventsResponse.newBuilder().setDrain(Drain.newBuilder().setReason("taken over")).build());
    SubscribeEventsRequest request = DURABLE.request().toBuilder().setTakeOver(true).build();
    SubscribeOptions options = SubscribeOptions.of(request).withBackoff(Duration.ofMillis(1), Duration.ofMillis(2));
    EventSubscription subscription = client.subscribe(options, event -> {});
    assertTrue(gateway.subscribed.poll(20, TimeUnit.SECONDS).getTakeOver());
    assertFalse(gateway.subscribed.poll(20, TimeUnit.SECONDS).getTakeOver());
    subscription.close();
  }

  @Test
  void failedHandlerIsLogged() throws InterruptedException {
    BlockingQueue<LogRecord> logged = new LinkedBlockingQueue<>();
    Logger logger = Logger.getLogger("io.aulm.gateway.client");
    Handler keep =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            logged.add(record);
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    logger.addHandler(keep);
    logger.setUseParentHandlers(false);
    try {
      gateway.frames = List.of(FakeGateway.batch("1", "a", true));
      client.consume(DURABLE, (event, attempt) -> { throw new IOException("failed"); });
      assertEquals("failed", logged.poll(20, TimeUnit.SECONDS).getThrown().getMessage());
      gateway.awaitSettled("1", SettlementAction.SETTLEMENT_ACTION_RETRY);
    } finally {
      logger.removeHandler(keep);
      logger.setUseParentHandlers(true);
    }
  }

  @Test
  void listenerIsToldOfAFailedHandler() throws InterruptedException {
    BlockingQueue<Exception> told = new LinkedBlockingQueue<>();
    SubscriptionListener listener =
        new SubscriptionListener() {
          @Override
          public void onHandlerFailed(Exception error, Event event) {
            told.add(error);
          }
        };
    gateway.frames = List.of(FakeGateway.batch("1", "a", true));
    client.consume(DURABLE.withListener(listener), (event, attempt) -> { throw new IOException("failed"); });
    assertEquals("failed", told.poll(20, TimeUnit.SECONDS).getMessage());
  }
}
