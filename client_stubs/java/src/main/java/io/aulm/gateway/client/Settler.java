package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import io.aulm.gateway.v1.AcknowledgeEventsRequest;
import io.aulm.gateway.v1.Settlement;
import io.aulm.gateway.v1.SettlementAction;
import io.aulm.gateway.v1.SettlementEffect;
import io.aulm.gateway.v1.SettlementResult;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;

/**
 * Settles deliveries of one durable subscription of mode SHARED, many in one call: what came while a call was under way
 * makes the next one. Thread-safe.
 */
final class Settler {
  private record Waiting(Settlement settlement, CompletableFuture<SettlementEffect> done) {}

  private static final int MOST_SETTLEMENTS = 1000;
  private final String subscription;
  private final Function<AcknowledgeEventsRequest, List<SettlementResult>> acknowledge;
  private final Executor executor;
  private final CountDownLatch givenUp = new CountDownLatch(1);
  private final List<Waiting> waiting = new ArrayList<>(); // with busy, under this
  private boolean busy;

  Settler(
      String subscription, Function<AcknowledgeEventsRequest, List<SettlementResult>> acknowledge, Executor executor) {
    this.subscription = subscription;
    this.acknowledge = acknowledge;
    this.executor = executor;
  }

  /** Settles one delivery, durably: STALE where it was settled before, or handed out again since. */
  CompletableFuture<SettlementEffect> settle(ByteString token, SettlementAction action, java.time.Duration delay) {
    Settlement.Builder settlement = Settlement.newBuilder().setAckToken(token).setAction(action);
    if (delay != null) {
      settlement.setDelay(Duration.newBuilder().setSeconds(delay.getSeconds()).setNanos(delay.getNano()));
    }
    Waiting each = new Waiting(settlement.build(), new CompletableFuture<>());
    synchronized (this) {
      waiting.add(each);
      if (busy) {
        return each.done;
      }
      busy = true;
    }
    executor.execute(this::run);
    return each.done;
  }

  /** Waits until everything is settled, or given up. */
  synchronized void awaitIdle() {
    boolean interrupted = false;
    while (busy) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** From now on, what fails is not tried again. */
  void giveUp() {
    givenUp.countDown();
  }

  private void run() {
    while (true) {
      List<Waiting> batch;
      synchronized (this) {
        if (waiting.isEmpty()) {
          busy = false;
          notifyAll();
          return;
        }
        List<Waiting> taken = waiting.subList(0, Math.min(waiting.size(), MOST_SETTLEMENTS));
        batch = List.copyOf(taken);
        taken.clear();
      }
      try {
        List<SettlementResult> results = settle(batch);
        for (int i = 0; i < batch.size(); ++i) {
          batch.get(i).done.complete(results.get(i).getResult());
        }
      } catch (RuntimeException e) {
        batch.forEach(each -> each.done.completeExceptionally(e));
      }
    }
  }

  private List<SettlementResult> settle(List<Waiting> batch) {
    AcknowledgeEventsRequest.Builder request = AcknowledgeEventsRequest.newBuilder().setSubscription(subscription);
    batch.forEach(each -> request.addSettlements(each.settlement));
    Backoff backoff = new Backoff(java.time.Duration.ofMillis(50), java.time.Duration.ofSeconds(2));
    while (true) {
      try {
        return acknowledge.apply(request.build());
      } catch (GatewayException e) {
        try {
          if (!e.mayPass() || givenUp.await(backoff.next().toNanos(), TimeUnit.NANOSECONDS)) {
            throw e;
          }
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
    }
  }
}
