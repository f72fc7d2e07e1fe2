package io.aulm.gateway.client;

import io.aulm.gateway.v1.Event;

/** Handles events, several at a time, and those of one conversation one after the other. */
@FunctionalInterface
public interface EventHandler {
  /**
   * Handles one event. Where it fails, a delivery of mode SHARED is retried; otherwise the subscription ends with that
   * error, and its position stands before the event.
   *
   * @param attempt which try this is, from 1; always 1 but in mode SHARED
   * @return what becomes of the delivery; ACK or SKIP but in mode SHARED
   */
  Verdict handle(Event event, int attempt) throws Exception;
}
