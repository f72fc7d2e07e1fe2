package io.aulm.gateway.client;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** The waits after failures in a row: doubled up to a bound, and jittered. Not thread-safe. */
final class Backoff {
  private final long leastNanos;
  private final long mostNanos;
  private long nextNanos;

  Backoff(Duration least, Duration most) {
    if (least.isZero() || least.isNegative() || most.compareTo(least) < 0) {
      throw new IllegalArgumentException("backoff: least must be positive, and most no less than least");
    }
    leastNanos = nextNanos = least.toNanos();
    mostNanos = most.toNanos();
  }

  /** The next wait: between a half and the whole of a value that doubles each time. */
  Duration next() {
    long whole = nextNanos;
    nextNanos = Math.min(whole * 2, mostNanos);
    return Duration.ofNanos(whole / 2 + ThreadLocalRandom.current().nextLong(whole / 2 + 1));
  }

  /** An attempt came through: start over. */
  void reset() {
    nextNanos = leastNanos;
  }

  /** A wait that all clients of a gateway were told alike, and up to a fifth more. */
  static Duration spread(Duration wait) {
    return wait.plusNanos(ThreadLocalRandom.current().nextLong(wait.toNanos() / 5 + 1));
  }
}
