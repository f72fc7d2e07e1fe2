package io.aulm.gateway.client;

import io.aulm.gateway.v1.Event;
import io.aulm.gateway.v1.Gap;
import io.aulm.gateway.v1.Heartbeat;
import io.aulm.gateway.v1.Started;
import java.time.Duration;

/** Told of what happens to a subscription beside its events. Called on the subscription's threads; must be quick. */
public interface SubscriptionListener {
  /** Connected: at the start and after each interruption. */
  default void onStarted(Started started) {}

  /** Tells whether the subscription has caught up, and how far behind it is. */
  default void onHeartbeat(Heartbeat heartbeat) {}

  /** Events that can no longer be had. */
  default void onGap(Gap gap) {}

  /** The stream ended (a Drain has reason "DRAINING", silence has none); it is tried again after {@code wait}. */
  default void onInterrupted(GatewayException error, Duration wait) {}

  /**
   * The gateway could not take the position of a durable subscription; it is tried again. (A cursor store that fails ends
   * the subscription.)
   */
  default void onCursorNotSaved(Exception error) {}

  /** A handler failed in mode SHARED: the delivery is retried. Unless overridden, this is logged (System.Logger). */
  default void onHandlerFailed(Exception error, Event event) {
    System.getLogger(SubscriptionListener.class.getPackageName())
        .log(System.Logger.Level.ERROR, "the handler of an event failed; it is delivered again", error);
  }
}
