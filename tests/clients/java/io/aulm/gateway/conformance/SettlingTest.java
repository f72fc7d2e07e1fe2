package io.aulm.gateway.conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a durable subscription is told of events that are in a handler when their stream ends: cases beside the table's. */
final class SettlingTest {
  private static void run(String steps) throws Exception {
    JsonObject given = new JsonObject();
    given.add("steps", JsonParser.parseString("[" + steps + "]"));
    ConformanceCase.run(new Table(new JsonObject(), new JsonObject(), List.of()), given);
  }

  @Test
  void consumerThatStopsSettlesBeforeItLeavesItsStream() throws Exception {
    run(
        """
        {"create_subscription": {"name": "orders", "mode": "SHARED", "start": "EARLIEST"}},
        {"subscribe": {"as": "a", "subscription": "orders", "mode": "SHARED", "hold": ["m1"]}},
        {"inbound": {"from": "+966500000001", "bodies": ["m1"]}},
        {"handling": {"by": "a", "events": ["m1"]}},
        {"subscribe": {"as": "b", "subscription": "orders", "mode": "SHARED", "heartbeat_ms": 1000}},
        {"notice": {"by": "b", "kind": "started"}},
        {"stopping": "a"},
        {"notice": {"by": "b", "kind": "heartbeat"}},
        {"release": {"by": "a", "events": ["m1"]}},
        {"stop": "a"},
        {"inbound": {"from": "+966500000001", "bodies": ["m2"]}},
        {"handled": {"by": "b", "events": ["m2"]}},
        {"handled": {"by": "a", "events": ["m1"]}},
        {"subscription_stats": {"name": "orders", "lag_events": 0, "outstanding_events": 0}}
        """);
  }

  @Test
  void firstEventIsNotHandledAgainWhereItsHandlerRanOverAnInterruption() throws Exception {
    run(
        """
        {"create_subscription": {"name": "orders", "mode": "CURSOR", "start": "EARLIEST"}},
        {"subscribe": {"as": "a", "subscription": "orders", "hold": ["m1"]}},
        {"inbound": {"from": "+966500000001", "bodies": ["m1"]}},
        {"handling": {"by": "a", "events": ["m1"]}},
        {"subscribe": {"as": "clock", "start": "LATEST", "heartbeat_ms": 1000}},
        {"notice": {"by": "clock", "kind": "started"}},
        {"gateway": "kill"},
        {"notice": {"by": "a", "kind": "interrupted"}},
        {"notice": {"by": "clock", "kind": "interrupted"}},
        {"gateway": "start"},
        {"inbound": {"from": "+966500000001", "bodies": ["m2"]}},
        {"notice": {"by": "clock", "kind": "started"}},
        {"notice": {"by": "clock", "kind": "heartbeat"}},
        {"release": {"by": "a", "events": ["m1"]}},
        {"handled": {"by": "a", "events": ["m1", "m2"]}},
        {"stop": "a"},
        {"handled": {"by": "a", "events": ["m1", "m2"]}}
        """);
  }
}
