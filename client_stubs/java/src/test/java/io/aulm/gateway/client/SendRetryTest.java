package io.aulm.gateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class SendRetryTest {
  private final AtomicInteger tries = new AtomicInteger();

  // Fails the first try, and takes the second.
  private int tryTwice(StatusRuntimeException first) {
    SendRetry retry = new SendRetry("order-1", Duration.ofSeconds(10), Duration.ofMillis(1), Duration.ofMillis(1));
    return retry.run(
        left -> {
          if (tries.incrementAndGet() == 1) {
            throw first;
          }
          return 42;
        });
  }

  @Test
  void connectionThatBreaksAsTheCallBeginsIsTriedAgain() {
    Status closed = Status.UNKNOWN.withDescription("channel closed").withCause(new ClosedChannelException());
    assertEquals(42, tryTwice(closed.asRuntimeException()));
  }

  @Test
  void anUnknownOfTheServersIsNot() {
    GatewayException error = assertThrows(GatewayException.class, () -> tryTwice(Status.UNKNOWN.asRuntimeException()));
    assertEquals(1, tries.get());
    assertEquals(Status.Code.UNKNOWN, error.code());
    assertEquals(Outcome.UNKNOWN, error.outcome().orElseThrow());
    assertEquals("order-1", error.requestId());
  }
}
