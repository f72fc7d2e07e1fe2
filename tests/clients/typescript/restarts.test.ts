// Ten thousand events while the gateway is killed ten times: every way of subscribing gets each event once and in order.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Event, FileCursorStore, GatewayClient } from "@aulm/gateway-client";
import { eventually, World } from "./world.js";

const EVENTS = 10_000;
const KILLS = 10;
const PATIENCE_MS = 240_000;

const peerOf = ({ payload }: Event) => (payload?.$case === "inboundMessage" ? payload.value.from : "");

void test("each event once and in order over ten kills", { timeout: 300_000 }, async () => {
  const world = await World.start(["--webhook-concurrency=8"]);
  const client = new GatewayClient({ target: world.target });
  const stop = new AbortController();
  const usual = {
    start: "earliest",
    signal: stop.signal,
    backoff: { leastMs: 20, mostMs: 200 },
  } as const;
  const ids = { followed: [] as string[], consumed: [] as string[] };
  const consumed: Event[] = [];
  let interruptions = 0;
  try {
    const following = (async () => {
      const options = {
        ...usual,
        cursorStore: new FileCursorStore(join(world.folder, "cursor")),
        onInterrupted: () => interruptions++,
      };
      for await (const event of client.subscribe(options)) ids.followed.push(event.deliveryId);
    })();
    const consuming = client.consume({ ...usual, concurrency: 8 }, async (event) => {
      await new Promise(setImmediate);
      consumed.push(event);
    });

    const blast = {
      count: EVENTS,
      concurrency: 8,
      rate_per_second: 2_000,
      retry: true,
      retry_delay_ms: 20,
      keep_ids: true,
    };
    await world.control("POST", "blast", {
      ...blast,
      event: "inbound_message",
      peers: 40,
    });
    for (let kill = 1; kill <= KILLS; ++kill) {
      const due = (kill * EVENTS) / (KILLS + 1);
      await eventually(
        () => (ids.followed.length >= due ? true : undefined),
        () => `${ids.followed.length}`,
        PATIENCE_MS,
      );
      await world.endGateway("SIGKILL");
      await world.startGateway();
    }
    const finished = () => (ids.followed.length >= EVENTS && consumed.length >= EVENTS ? true : undefined);
    await eventually(finished, () => `${ids.followed.length} and ${consumed.length}`, PATIENCE_MS);

    const log: string[] = [];
    for (
      let page = await client.readEvents({
        start: "earliest",
        pageSize: 1000,
      });
      ;
    ) {
      log.push(...page.events.map(({ deliveryId }) => deliveryId));
      if (page.endOfLog) break;
      page = await client.readEvents({
        start: { after: page.nextCursor },
        pageSize: 1000,
      });
    }
    const { delivered_ids: delivered } = (await world.control("GET", "blast/ids")) as { delivered_ids: string[] };
    stop.abort();
    await Promise.all([following, consuming]);

    assert.equal(log.length, EVENTS);
    assert.deepEqual([...log].sort(), [...delivered].sort());
    assert.deepEqual(ids.followed, log);
    const place = new Map(log.map((id, i) => [id, i]));
    const last = new Map<string, number>();
    for (const event of consumed) {
      const at = place.get(event.deliveryId)!;
      assert.ok(at > (last.get(peerOf(event)) ?? -1), "out of order within a conversation, or twice");
      last.set(peerOf(event), at);
    }
    assert.equal(new Set(consumed.map(({ deliveryId }) => deliveryId)).size, EVENTS);
    assert.ok(interruptions >= KILLS, `${interruptions} interruptions`);
  } finally {
    stop.abort();
    client.close();
    await world.end();
  }
});
