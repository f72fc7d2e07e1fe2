import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { FileCursorStore, GatewayError, MemoryCursorStore, type SubscribeOptions } from "@aulm/gateway-client";
import { SubscriptionMode } from "@aulm/gateway-client/v1";
import { FakeGateway, gatewayStatus, type Stream } from "./fake-gateway.js";

const QUICK = { backoff: { leastMs: 1, mostMs: 2 }, cursorSaveIntervalMs: 0 };
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

async function withGateway(body: (gateway: FakeGateway) => Promise<void>): Promise<void> {
  const gateway = await FakeGateway.start();
  try {
    await body(gateway);
  } finally {
    gateway.stop();
  }
}

// Takes `count` events, then stops.
async function follow(gateway: FakeGateway, count: number, options: SubscribeOptions = {}): Promise<string[]> {
  const cursors: string[] = [];
  const stop = new AbortController();
  for await (const event of gateway.client.subscribe({ ...QUICK, ...options, signal: stop.signal })) {
    cursors.push(text(event.cursor));
    if (cursors.length === count) stop.abort();
  }
  return cursors;
}

// Where each stream that was asked for should start.
const starts = (gateway: FakeGateway) =>
  gateway.subscribed.map(({ start }) => (start?.$case === "afterCursor" ? text(start.value) : start?.value));

void test("resumes after the last frame when the stream breaks", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.started();
        stream.events("a1", "a2");
        stream.fail({ code: Code.UNAVAILABLE, details: "broken" });
      },
      (stream) => {
        stream.started();
        stream.events("a3");
      },
    ];
    assert.deepEqual(await follow(gateway, 3, { start: "earliest" }), ["a1", "a2", "a3"]);
    assert.deepEqual(starts(gateway), [1, "a2"]);
  }));

void test("holds on to the head where LATEST was asked for and nothing had come", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.started("head-1");
        stream.fail({ code: Code.UNAVAILABLE, details: "broken" });
      },
      (stream) => {
        stream.started("head-2");
        stream.events("a1");
      },
    ];
    await follow(gateway, 1);
    assert.deepEqual(starts(gateway), [2, "head-1"]);
  }));

void test("waits as a Drain asks, and goes on where it stood", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.started();
        stream.events("a1");
        const value = {
          reason: "shutdown",
          reconnectAfter: { seconds: 0, nanos: 50e6 },
          resumeCursor: Buffer.from("a9"),
        };
        stream.send({ $case: "drain", value });
        stream.fail({ code: Code.UNAVAILABLE, details: "" });
      },
      (stream) => {
        stream.events("b1");
      },
    ];
    const waits: number[] = [];
    const onInterrupted = (error: GatewayError, waitMs: number) => {
      assert.equal(error.reason, "DRAINING");
      waits.push(waitMs);
    };
    await follow(gateway, 2, { start: "earliest", onInterrupted });
    assert.equal(waits.length, 1);
    assert.ok(waits[0]! >= 50 && waits[0]! <= 60, String(waits));
    assert.deepEqual(starts(gateway), [1, "a9"]);
  }));

void test("gives up a stream that is silent for three heartbeats", () =>
  withGateway(async (gateway) => {
    let cancelled: Promise<void> | undefined;
    gateway.scripts = [
      (stream: Stream) => {
        cancelled = stream.cancelled;
        stream.started();
      },
      (stream) => {
        stream.events("a1");
      },
    ];
    const errors: string[] = [];
    const onInterrupted = (error: GatewayError) => errors.push(error.message);
    await follow(gateway, 1, { heartbeatIntervalMs: 20, onInterrupted });
    await cancelled;
    assert.deepEqual(errors, ["UNAVAILABLE the gateway was silent for 60 ms"]);
  }));

void test("a slow loop does not make the gateway silent", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1");
        stream.events("a2");
      },
    ];
    const interrupted: unknown[] = [];
    const stop = new AbortController();
    const options = { ...QUICK, heartbeatIntervalMs: 20, signal: stop.signal };
    for await (const event of gateway.client.subscribe({ ...options, onInterrupted: (e) => interrupted.push(e) })) {
      if (text(event.cursor) === "a2") stop.abort();
      else await new Promise((resolve) => setTimeout(resolve, 150));
    }
    assert.deepEqual(interrupted, []);
  }));

void test("tells of gaps and heartbeats, and moves on with them", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.send({ $case: "gap", value: { toCursor: Buffer.from("g") } });
        stream.send({ $case: "heartbeat", value: { resumeCursor: Buffer.from("h"), lagEvents: 7 } });
        stream.fail({ code: Code.UNAVAILABLE, details: "" });
      },
      (stream) => {
        stream.events("a1");
      },
    ];
    const told: unknown[] = [];
    await follow(gateway, 1, {
      onGap: ({ toCursor }) => told.push(text(toCursor)),
      onHeartbeat: ({ lagEvents }) => told.push(lagEvents),
    });
    assert.deepEqual(told, ["g", 7]);
    assert.equal(starts(gateway)[1], "h");
  }));

void test("ends with an error that another try cannot mend", () =>
  withGateway(async (gateway) => {
    const expired = gatewayStatus(Code.OUT_OF_RANGE, "CURSOR_EXPIRED", { earliest_cursor: "YTE" });
    gateway.scripts = [
      (stream) => {
        stream.fail(expired);
      },
    ];
    await assert.rejects(follow(gateway, 1), (error: unknown) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(text(error.earliestCursor), "a1");
      return true;
    });
    assert.equal(gateway.subscribed.length, 1);
  }));

void test("an event counts as handled when the next is asked for", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "a2", "a3");
      },
    ];
    const cursorStore = new MemoryCursorStore();
    const follower = gateway.client.subscribe({ ...QUICK, start: "earliest", cursorStore });
    for await (const event of follower) if (text(event.cursor) === "a2") break;
    assert.equal(text(await cursorStore.load()), "a1");
  }));

void test("commit handles the last event", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "a2");
      },
    ];
    const cursorStore = new MemoryCursorStore();
    const follower = gateway.client.subscribe({ ...QUICK, start: "earliest", cursorStore });
    await follower.next();
    await follower.commit();
    await follower.return();
    assert.equal(text(await cursorStore.load()), "a1");
  }));

void test("a cursor store that cannot be written ends the loop, at once or when it is left", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "a2");
      },
    ];
    const cursorStore = new FileCursorStore("/nowhere/position");
    for (const cursorSaveIntervalMs of [0, 3_600_000]) {
      const following = async () => {
        for await (const event of gateway.client.subscribe({ ...QUICK, cursorStore, cursorSaveIntervalMs })) {
          if (text(event.cursor) === "a2" && cursorSaveIntervalMs > 0) break;
        }
      };
      await assert.rejects(following(), { code: "ENOENT" });
    }
  }));

void test("a stored cursor goes before the start that is asked for", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("b1");
      },
    ];
    await follow(gateway, 1, { start: "earliest", cursorStore: new MemoryCursorStore(Buffer.from("a7")) });
    assert.deepEqual(starts(gateway), ["a7"]);
  }));

void test("a durable subscription takes no start of its own", () =>
  withGateway((gateway) => {
    assert.throws(() => gateway.client.subscribe({ subscription: "orders", start: "latest" }), /start/);
    return Promise.resolve();
  }));

void test("a takeover is asked for until it is had", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.fail({ code: Code.UNAVAILABLE, details: "broken" });
      },
      (stream) => {
        stream.started();
        stream.send({ $case: "drain", value: { reason: "taken over" } });
      },
      (stream) => {
        stream.events("a1");
      },
    ];
    await follow(gateway, 1, { subscription: "orders", takeOver: true });
    assert.deepEqual(
      gateway.subscribed.map(({ takeOver }) => takeOver),
      [true, true, false],
    );
  }));

void test("a durable subscription of mode SHARED is refused before any of it is handed out", () =>
  withGateway(async (gateway) => {
    gateway.mode = SubscriptionMode.SHARED;
    await assert.rejects(follow(gateway, 1, { subscription: "orders" }), (error: unknown) => {
      assert.ok(error instanceof GatewayError);
      assert.deepEqual([error.code, error.reason], [Code.FAILED_PRECONDITION, "SUBSCRIPTION_MODE"]);
      assert.match(error.message, /use consume/);
      return true;
    });
    assert.deepEqual(gateway.subscribed, []);
  }));

void test("a follower needs no right to ask for the mode", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1");
      },
    ];
    gateway.onGetSubscription = () => ({ code: Code.PERMISSION_DENIED, details: "no" });
    assert.deepEqual(await follow(gateway, 1, { subscription: "orders" }), ["a1"]);
  }));

void test("the mode is asked for as long as the gateway is away", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1");
      },
    ];
    const told: Code[] = [];
    gateway.onGetSubscription = () => (told.length === 0 ? { code: Code.UNAVAILABLE, details: "away" } : undefined);
    await follow(gateway, 1, { subscription: "orders", onInterrupted: ({ code }) => told.push(code) });
    assert.deepEqual(told, [Code.UNAVAILABLE]);
  }));

void test("a cursor file is one line of base64url", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cursor-"));
  const path = join(folder, "position");
  const store = new FileCursorStore(path);
  assert.equal(await store.load(), undefined);
  await store.save(Buffer.from([0xfb, 0xff, 1]));
  assert.equal(await readFile(path, "utf8"), "-_8B\n");
  assert.deepEqual([...(await store.load())!], [0xfb, 0xff, 1]);
  for (const noCursor of ["no cursor at all\n", "", "x\n"]) {
    await writeFile(path, noCursor);
    await assert.rejects(store.load(), /holds no cursor/);
  }
  await rm(folder, { recursive: true });
});
