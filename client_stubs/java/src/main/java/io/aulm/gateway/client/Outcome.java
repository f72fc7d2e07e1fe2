package io.aulm.gateway.client;

/** What became of a send that failed. */
public enum Outcome {
  /** aulm did not take the message: a repeat is safe. */
  NOT_SENT,
  /** Nobody can know: a repeat with another request id may send the message twice. */
  UNKNOWN
}
