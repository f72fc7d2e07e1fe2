package io.aulm.gateway.client;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.function.Function;

/**
 * Tries a send again where that is safe, always under the one request id: after errors that say that nothing was sent,
 * and after a broken connection, since the gateway looks the id up. {@link GatewayClient} makes every send through it.
 */
final class SendRetry {
  // Less than this before the deadline, a try would only exchange the last error for a DEADLINE_EXCEEDED.
  private static final Duration LEAST_TRY = Duration.ofMillis(100);

  private final String requestId;
  private final long deadline; // of System.nanoTime()
  private final Backoff backoff;

  SendRetry(String requestId, Duration timeout, Duration leastBackoff, Duration mostBackoff) {
    this.requestId = requestId;
    deadline = System.nanoTime() + timeout.toNanos();
    backoff = new Backoff(leastBackoff, mostBackoff);
  }

  /** Calls {@code attempt}, with the time that is left, until it succeeds or fails for good. */
  <T> T run(Function<Duration, T> attempt) {
    boolean inDoubt = false; // an earlier try may have sent, and nothing since has shown otherwise
    if (left().compareTo(Duration.ZERO) <= 0) {
      throw GatewayException.notMade(
          Status.Code.DEADLINE_EXCEEDED, "no time was left for the send: it was not tried", requestId);
    }
    while (true) {
      try {
        return attempt.apply(left());
      } catch (StatusRuntimeException e) {
        GatewayException error = GatewayException.from(e);
        inDoubt = inDoubt && !looksUpRequestId(error) || !error.hasDetails();
        Duration wait = error.retryAfter().map(Backoff::spread).orElseGet(backoff::next);
        if (!mayTryAgain(error) || left().compareTo(wait.plus(LEAST_TRY)) < 0 || !sleep(wait)) {
          Outcome outcome = inDoubt && error.hasDetails() ? Outcome.UNKNOWN : outcomeOf(error);
          throw error.withSend(outcome, error.requestId().isEmpty() ? requestId : error.requestId());
        }
      }
    }
  }

  private Duration left() {
    return Duration.ofNanos(deadline - System.nanoTime());
  }

  // False where the thread was interrupted.
  private static boolean sleep(Duration wait) {
    try {
      Thread.sleep(wait.toMillis());
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  // True for an error before which the gateway looked the request id up, so that it speaks for the earlier tries too.
  private static boolean looksUpRequestId(GatewayException error) {
    return error.domain().equals("aulm.io") || error.reason().equals("CONNECT_FAILED");
  }

  private static boolean mayTryAgain(GatewayException error) {
    boolean safe = !error.hasDetails() || error.outcome().filter(Outcome.NOT_SENT::equals).isPresent();
    return error.code() == Status.Code.UNAVAILABLE && safe;
  }

  // Without details nobody can know, but where the code shows that nobody took the call.
  private static Outcome outcomeOf(GatewayException error) {
    return error
        .outcome()
        .orElse(
            switch (error.code()) {
              case UNIMPLEMENTED, UNAUTHENTICATED, PERMISSION_DENIED -> Outcome.NOT_SENT;
              default -> Outcome.UNKNOWN;
            });
  }
}
