package io.aulm.gateway.client;

import com.google.protobuf.ByteString;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * Saves how far a subscriber has come: at most once in an interval, one save after the other, the newest position
 * alone. A store that fails is its owner's end, but for a gateway that is away: that is told of, and tried again.
 * Thread-safe.
 */
final class PositionKeeper {
  private final CursorStore store;
  private final long intervalNanos;
  private final ScheduledExecutorService timer;
  private final SubscriptionListener listener;
  private final Consumer<Exception> failed;
  private final ReentrantLock saving = new ReentrantLock(); // held while the store writes: one save at a time
  private ByteString saved; // under saving
  private ByteString position; // the rest under this
  private boolean due;
  private long lastSave;

  /** {@code failed} is told of a store's failure, on any thread. */
  PositionKeeper(
      CursorStore store,
      Duration interval,
      ScheduledExecutorService timer,
      SubscriptionListener listener,
      Consumer<Exception> failed) {
    this.store = store;
    this.intervalNanos = interval.toNanos();
    this.timer = timer;
    this.listener = listener;
    this.failed = failed;
    lastSave = System.nanoTime() - intervalNanos;
  }

  /** Reads where to go on; null where that is nowhere yet. */
  ByteString load() throws Exception {
    ByteString loaded = store == null ? null : store.load().orElse(null);
    saving.lock();
    try {
      saved = loaded;
    } finally {
      saving.unlock();
    }
    synchronized (this) {
      position = loaded;
    }
    return loaded;
  }

  /** Everything up to here is handled. Saves when it is time, on the timer's thread. */
  synchronized void advance(ByteString to) {
    position = to;
    if (store == null || due) {
      return;
    }
    due = true;
    long wait = Math.max(0, lastSave + intervalNanos - System.nanoTime());
    timer.schedule(this::tryFlush, wait, TimeUnit.NANOSECONDS);
  }

  synchronized boolean hasPosition() {
    return position != null;
  }

  /** Saves now what is not saved. */
  void flush() throws Exception {
    saving.lock();
    try {
      ByteString to;
      synchronized (this) {
        due = false;
        to = position;
        lastSave = System.nanoTime(); // also of one that fails: it is not tried again at once
      }
      if (store != null && to != null && !to.equals(saved)) {
        store.save(to);
        saved = to;
      }
    } finally {
      saving.unlock();
    }
  }

  /** As flush, but tells of a failure instead of failing. */
  void tryFlush() {
    try {
      flush();
    } catch (Exception e) {
      if (e instanceof GatewayException away && away.mayPass()) {
        listener.onCursorNotSaved(e);
      } else {
        failed.accept(e);
      }
    }
  }
}
