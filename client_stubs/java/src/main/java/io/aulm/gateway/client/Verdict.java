package io.aulm.gateway.client;

import io.aulm.gateway.v1.SettlementAction;
import java.time.Duration;

/**
 * What becomes of a delivery of mode SHARED.
 *
 * @param action what is done with it
 * @param delay of RETRY: null for the subscription's own
 */
public record Verdict(SettlementAction action, Duration delay) {
  /** Checks the action: one that settles nothing is an IllegalArgumentException. */
  public Verdict {
    switch (action) {
      case SETTLEMENT_ACTION_ACK, SETTLEMENT_ACTION_RETRY, SETTLEMENT_ACTION_PARK, SETTLEMENT_ACTION_SKIP -> {}
      default -> throw new IllegalArgumentException(action + ": a verdict is ACK, RETRY, PARK or SKIP");
    }
  }

  /** Done with. */
  public static final Verdict ACK = new Verdict(SettlementAction.SETTLEMENT_ACTION_ACK, null);

  /** To come again after the subscription's own delay. */
  public static final Verdict RETRY = new Verdict(SettlementAction.SETTLEMENT_ACTION_RETRY, null);

  /** Kept aside. */
  public static final Verdict PARK = new Verdict(SettlementAction.SETTLEMENT_ACTION_PARK, null);

  /** Left alone, though not handled. */
  public static final Verdict SKIP = new Verdict(SettlementAction.SETTLEMENT_ACTION_SKIP, null);

  /** To come again after {@code delay}, at most an hour. */
  public static Verdict retryAfter(Duration delay) {
    return new Verdict(SettlementAction.SETTLEMENT_ACTION_RETRY, delay);
  }
}
