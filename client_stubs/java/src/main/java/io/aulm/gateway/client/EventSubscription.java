package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import io.aulm.gateway.v1.Delivery;
import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.SettlementAction;
import io.aulm.gateway.v1.SettlementEffect;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A handler that is fed with events until it is closed; made by {@link GatewayClient#subscribe} and {@link
 * GatewayClient#consume}. Each event once and in order within its conversation, over broken connections and restarts of
 * the gateway. Keeps the position before the oldest event that is not handled. Thread-safe.
 */
public final class EventSubscription implements AutoCloseable {
  private static final int MOST_EVENTS_IN_HAND = 1000;
  private static final Duration SETTLING_WHILE_STOPPING = Duration.ofSeconds(2);

  /** What the client does for a subscription. */
  interface Gateway {
    EventFeed feed(
        SubscribeOptions options, SubscriptionListener listener, ByteString position, EventFeed.BeforeConnect run);

    Settler settler(String subscription, ExecutorService executor);

    /** How long a consumer may take for a delivery of this durable subscription. */
    Duration ackDeadline(String subscription);
  }

  // A delivery of mode SHARED that is not settled.
  private static final class Outstanding {
    final ByteString token;
    volatile boolean lost; // handed out again, to somebody else perhaps

    Outstanding(ByteString token) {
      this.token = token;
    }
  }

  // In log order, up to the oldest event that is not handled.
  private static final class Step {
    final ByteString position;
    boolean done;

    Step(ByteString position, boolean done) {
      this.position = position;
      this.done = done;
    }
  }

  private final Gateway gateway;
  private final SubscribeOptions options;
  private final EventHandler handler;
  private final PositionKeeper keeper;
  private final ScheduledExecutorService timer;
  private final ExecutorService handlers;
  private final ConversationLanes lanes;
  private final Settler settler; // null but in durable subscriptions
  private final Set<Outstanding> outstanding = ConcurrentHashMap.newKeySet();
  private final Deque<Step> steps = new ArrayDeque<>(); // under itself
  private final CompletableFuture<Void> ended = new CompletableFuture<>();
  private final AtomicBoolean stopping = new AtomicBoolean(); // set under interrupting
  private final Object interrupting = new Object();
  private final Thread thread;
  private volatile Throwable failure;

  EventSubscription(Gateway gateway, SubscribeOptions options, CursorStore store, EventHandler handler) {
    this.gateway = gateway;
    this.options = options;
    this.handler = handler;
    ThreadFactory threads =
        task -> {
          Thread made = new Thread(task, "aulm-gateway-handler");
          made.setDaemon(true);
          return made;
        };
    handlers = Executors.newCachedThreadPool(threads);
    timer = Executors.newSingleThreadScheduledExecutor(threads);
    keeper = new PositionKeeper(store, options.cursorSaveInterval(), timer, options.listener(), this::fail);
    lanes =
        new ConversationLanes(handlers, options.concurrency(), Math.max(MOST_EVENTS_IN_HAND, options.concurrency()));
    settler = options.durable() ? gateway.settler(options.request().getSubscription(), handlers) : null;
    thread = new Thread(this::run, "aulm-gateway-subscription");
    thread.start();
  }

  /** Asks it to stop, and does not wait: handlers that had begun go on to their end. */
  public void stop() {
    synchronized (interrupting) {
      if (!stopping.compareAndSet(false, true)) {
        return;
      }
      lanes.stop();
      if (settler != null) {
        timer.schedule(settler::giveUp, SETTLING_WHILE_STOPPING.toMillis(), TimeUnit.MILLISECONDS);
      }
      thread.interrupt();
    }
  }

  /**
   * Completes when the subscription has ended and its position is saved: normally after {@link #stop}; exceptionally
   * with a {@link GatewayException} for what another try cannot mend, the cursor store's error, or the handler's own.
   */
  public CompletableFuture<Void> ended() {
    return ended.copy();
  }

  /**
   * Stops, and waits for the handlers that had begun. Not in a handler, which would wait for itself: call {@link #stop}
   * there.
   */
  @Override
  public void close() {
    stop();
    ended.handle((nothing, error) -> null).join();
  }

  private void run() {
    EventFeed feed = null;
    try {
      feed = gateway.feed(options, new SavingListener(), keeper.load(), this::beforeConnect);
      while (!stopping.get()) {
        take(feed.next());
      }
    } catch (InterruptedException e) {
      // stopped
    } catch (Throwable e) {
      fail(e);
    }
    synchronized (interrupting) {
      Thread.interrupted(); // stop's, which may come late: what follows is not to be cut short by it
    }
    try {
      lanes.awaitIdle();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (settler != null) {
      settler.awaitIdle();
    }
    keeper.tryFlush();
    if (feed != null) {
      feed.close(); // now that everything is settled: the tokens of deliveries end with their stream
    }
    timer.shutdownNow();
    handlers.shutdown();
    if (failure == null) {
      ended.complete(null);
    } else {
      ended.completeExceptionally(failure);
    }
  }

  private void beforeConnect(boolean first) throws Exception {
    if (!options.durable()) {
      return;
    }
    if (first) {
      long every = gateway.ackDeadline(options.request().getSubscription()).toNanos() / 3;
      timer.scheduleAtFixedRate(this::extend, every, every, TimeUnit.NANOSECONDS);
    } else if (inOrder()) {
      // The gateway goes on after what is acknowledged: what is still being handled would come twice.
      lanes.awaitIdle();
      keeper.flush();
    }
  }

  // True once something came that is acknowledged by its position: never in mode SHARED.
  private boolean inOrder() {
    synchronized (steps) {
      return keeper.hasPosition() || !steps.isEmpty();
    }
  }

  private void take(EventFeed.Batch batch) throws InterruptedException {
    for (Delivery delivery : batch.deliveries()) {
      if (delivery.getAckToken().isEmpty()) {
        addInOrder(delivery.getEvent());
      } else {
        addShared(delivery);
      }
    }
    if (batch.position() != null) {
      synchronized (steps) {
        steps.add(new Step(batch.position(), true));
      }
      advance();
    }
  }

  private void addInOrder(Event event) throws InterruptedException {
    Step step = new Step(event.getCursor(), false);
    synchronized (steps) {
      steps.add(step);
    }
    lanes.add(
        conversationOf(event),
        () -> {
          try {
            Verdict verdict = handler.handle(event, 1);
            switch (given(verdict).action()) {
              case SETTLEMENT_ACTION_ACK, SETTLEMENT_ACTION_SKIP -> {}
              default ->
                  throw new IllegalStateException(verdict + ": only a durable subscription of mode SHARED can do that");
            }
            synchronized (steps) {
              step.done = true;
            }
            advance();
          } catch (Throwable e) {
            fail(e);
          }
        },
        () -> {});
  }

  private void advance() {
    synchronized (steps) {
      ByteString position = null;
      while (!steps.isEmpty() && steps.getFirst().done) {
        position = steps.removeFirst().position;
      }
      if (position != null) {
        keeper.advance(position);
      }
    }
  }

  private void addShared(Delivery delivery) throws InterruptedException {
    Outstanding each = new Outstanding(delivery.getAckToken());
    outstanding.add(each);
    lanes.add(
        conversationOf(delivery.getEvent()),
        () -> {
          try {
            if (!each.lost) {
              Verdict verdict = given(judge(delivery));
              outstanding.remove(each); // from here on, nothing is to extend
              settler.settle(each.token, verdict.action(), verdict.delay()).join();
            }
          } catch (Throwable e) {
            if (!stopping.get()) {
              fail(e); // else: not settled in time, and so it comes again
            }
          } finally {
            outstanding.remove(each);
          }
        },
        () -> { // handed back at once, rather than when its time is up
          outstanding.remove(each);
          settler.settle(each.token, SettlementAction.SETTLEMENT_ACTION_RETRY, null);
        });
  }

  private Verdict judge(Delivery delivery) {
    try {
      return handler.handle(delivery.getEvent(), delivery.getAttempt());
    } catch (Exception e) {
      options.listener().onHandlerFailed(e, delivery.getEvent());
      return Verdict.RETRY;
    }
  }

  private static Verdict given(Verdict verdict) {
    if (verdict == null) {
      throw new IllegalStateException("the handler returned null: return Verdict.ACK, or another Verdict");
    }
    return verdict;
  }

  private void extend() {
    for (Outstanding each : outstanding) {
      settler
          .settle(each.token, SettlementAction.SETTLEMENT_ACTION_EXTEND, null)
          .thenAccept(effect -> each.lost |= effect == SettlementEffect.SETTLEMENT_EFFECT_STALE);
    }
  }

  private void fail(Throwable error) {
    synchronized (this) {
      if (failure == null) {
        failure = error;
      }
    }
    stop();
  }

  /** The conversation that an event belongs to: account, session and peer; without a peer, the session. */
  static String conversationOf(Event event) {
    String peer =
        event.hasInboundMessage() ? event.getInboundMessage().getFrom() : event.getMessageStatus().getTo();
    return event.getAccount() + '\n' + event.getSessionId() + '\n' + peer;
  }

  // Saves at interruptions, and passes all of it on.
  private final class SavingListener implements SubscriptionListener {
    @Override
    public void onStarted(io.aulm.gateway.v1.Started started) {
      options.listener().onStarted(started);
    }

    @Override
    public void onHeartbeat(io.aulm.gateway.v1.Heartbeat heartbeat) {
      options.listener().onHeartbeat(heartbeat);
    }

    @Override
    public void onGap(io.aulm.gateway.v1.Gap gap) {
      options.listener().onGap(gap);
    }

    @Override
    public void onInterrupted(GatewayException error, Duration wait) {
      if (!options.durable()) {
        keeper.tryFlush();
      }
      options.listener().onInterrupted(error, wait);
    }
  }
}
