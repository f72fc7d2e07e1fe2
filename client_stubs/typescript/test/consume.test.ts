import assert from "node:assert/strict";
import { test } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { type EventHandler, FileCursorStore, MemoryCursorStore, type ConsumeOptions } from "@aulm/gateway-client";
import { SettlementAction } from "@aulm/gateway-client/v1";
import { FakeGateway } from "./fake-gateway.js";

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

async function withGateway(body: (gateway: FakeGateway) => Promise<void>): Promise<void> {
  const gateway = await FakeGateway.start();
  try {
    await body(gateway);
  } finally {
    gateway.stop();
  }
}

// Consumes until the handler has been called, to its end, for the last of `until`.
async function consume(gateway: FakeGateway, until: number, options: ConsumeOptions, handler: EventHandler) {
  const stop = new AbortController();
  let handled = 0;
  await gateway.client.consume(
    { backoff: { leastMs: 1, mostMs: 2 }, cursorSaveIntervalMs: 0, ...options, signal: stop.signal },
    async (event, delivery) => {
      try {
        return await handler(event, delivery);
      } finally {
        if (++handled === until) setImmediate(() => { stop.abort(); }); // prettier-ignore
      }
    },
  );
}

const settled = (gateway: FakeGateway) =>
  gateway.acknowledged
    .flatMap(({ settlements }) => settlements)
    .map(({ ackToken, action, delay }) => [text(ackToken), SettlementAction[action], delay?.nanos]);

void test("handlers run at the same time, but one after the other within a conversation", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "a2", "b1", "c1");
      },
    ];
    const running = new Set<string>();
    let most = 0;
    const order: string[] = [];
    await consume(gateway, 4, { concurrency: 2 }, async ({ cursor }) => {
      const peer = text(cursor).charAt(0);
      assert.ok(!running.has(peer));
      running.add(peer);
      most = Math.max(most, running.size);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running.delete(peer);
      order.push(text(cursor));
    });
    assert.equal(most, 2);
    assert.ok(order.indexOf("a1") < order.indexOf("a2"));
  }));

void test("the position never passes an event that is not handled", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "b1", "b2");
      },
    ];
    const cursorStore = new MemoryCursorStore(Buffer.from("a0"));
    const seen: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await consume(gateway, 3, { concurrency: 2, cursorStore }, async ({ cursor }) => {
      if (text(cursor) === "a1") await held;
      if (text(cursor) === "b2") {
        seen.push(text(await cursorStore.load()));
        release();
      }
    });
    assert.deepEqual(seen, ["a0"]);
    assert.equal(text(await cursorStore.load()), "b2");
  }));

void test("a handler that fails ends the consumer before its event", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "a2", "a3");
      },
    ];
    const cursorStore = new MemoryCursorStore();
    const failing = gateway.client.consume({ cursorStore, concurrency: 1 }, ({ cursor }) => {
      if (text(cursor) === "a2") throw new RangeError("no");
    });
    await assert.rejects(failing, RangeError);
    assert.equal(text(await cursorStore.load()), "a1");
  }));

void test("a durable subscription of mode CURSOR is acknowledged before it is taken up again", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1");
        stream.fail({ code: Code.UNAVAILABLE, details: "" });
      },
      (stream) => {
        assert.deepEqual(gateway.acknowledged.map(({ upToCursor }) => text(upToCursor)), ["a1"]); // prettier-ignore
        stream.events("a2");
      },
    ];
    await consume(gateway, 2, { subscription: "orders", cursorSaveIntervalMs: 60_000 }, () => undefined);
    assert.equal(gateway.subscribed[1]!.start, undefined);
    assert.equal(text(gateway.acknowledged.at(-1)!.upToCursor), "a2");
  }));

void test("each delivery of mode SHARED is settled as its handler says", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.shared("a1", "b1", "c1", "d1", "e1", "f1");
      },
    ];
    const verdicts: Record<string, ReturnType<EventHandler>> = {
      b1: "park",
      c1: "skip",
      d1: { retryAfterMs: 250 },
      e1: "retry",
    };
    const failed: string[] = [];
    const onHandlerFailed = (error: unknown) => failed.push(String(error));
    await consume(gateway, 6, { subscription: "orders", onHandlerFailed }, ({ cursor }) => {
      if (text(cursor) === "f1") throw new Error("no");
      return verdicts[text(cursor)];
    });
    assert.deepEqual(settled(gateway), [
      ["token-a1", "ACK", undefined],
      ["token-b1", "PARK", undefined],
      ["token-c1", "SKIP", undefined],
      ["token-d1", "RETRY", 250e6],
      ["token-e1", "RETRY", undefined],
      ["token-f1", "RETRY", undefined],
    ]);
    assert.deepEqual(failed, ["Error: no"]);
  }));

void test("a consumer that stops settles before it leaves its stream, with which the tokens end", () =>
  withGateway(async (gateway) => {
    const order: string[] = [];
    let left: Promise<void> = Promise.resolve();
    gateway.scripts = [
      (stream) => {
        left = stream.cancelled.then(() => void order.push("left"));
        stream.shared("a1");
      },
    ];
    const stop = new AbortController();
    await gateway.client.consume({ subscription: "orders", signal: stop.signal }, async () => {
      stop.abort();
      await gateway.client.getSessionStatus("s"); // a round trip: a stream that was left meanwhile is seen to be
      order.push("handled");
    });
    await left;
    assert.deepEqual(order, ["handled", "left"]);
    assert.deepEqual(settled(gateway), [["token-a1", "ACK", undefined]]);
  }));

void test("a consumer that stops hands back at once what no handler saw", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.shared("a1", "a2");
      },
    ];
    const stop = new AbortController();
    await gateway.client.consume({ subscription: "orders", signal: stop.signal }, async () => {
      stop.abort();
      while (gateway.acknowledged.length === 0) await new Promise(setImmediate);
    });
    assert.deepEqual(settled(gateway), [
      ["token-a2", "RETRY", undefined],
      ["token-a1", "ACK", undefined],
    ]);
  }));

void test("a settlement that finds no gateway is tried again", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.shared("a1");
      },
    ];
    const answer = gateway.onAcknowledge;
    gateway.onAcknowledge = (request) =>
      gateway.acknowledged.length < 3 ? { code: Code.UNAVAILABLE, details: "" } : answer(request);
    await consume(gateway, 1, { subscription: "orders" }, () => undefined);
    assert.equal(gateway.acknowledged.length, 3);
  }));

void test("a delivery is extended while its handler runs", () =>
  withGateway(async (gateway) => {
    gateway.ackDeadlineMs = 60;
    gateway.scripts = [
      (stream) => {
        stream.shared("a1");
      },
    ];
    await consume(gateway, 1, { subscription: "orders" }, async () => {
      while (gateway.acknowledged.length < 2) await new Promise(setImmediate);
    });
    const actions = settled(gateway).map(([, action]) => action);
    assert.equal(actions.pop(), "ACK");
    assert.deepEqual(new Set(actions), new Set(["EXTEND"]));
  }));

void test("an answer of the handler's that is no verdict ends the consumer, and says what one is", () =>
  withGateway(async (gateway) => {
    for (const answer of ["nack", null, { retryAfterMs: "1" }, true]) {
      const handler = (() => answer) as unknown as EventHandler;
      const words = /the handler returned .*: return nothing, "ack", "retry", \{ retryAfterMs: … \}, "park" or "skip"/;
      gateway.scripts = [
        (stream) => {
          stream.shared("a1");
        },
      ];
      await assert.rejects(gateway.client.consume({ subscription: "orders" }, handler), words);
      gateway.scripts = [
        (stream) => {
          stream.events("a1");
        },
      ];
      await assert.rejects(gateway.client.consume({}, handler), words);
    }
    assert.deepEqual(settled(gateway), []);
  }));

void test("a handler that fails is logged where nobody listens", (context) =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.shared("a1");
      },
    ];
    const logged = context.mock.method(console, "error", () => undefined);
    await consume(gateway, 1, { subscription: "orders" }, () => {
      throw new Error("no");
    });
    assert.equal(logged.mock.callCount(), 1);
    assert.match(String(logged.mock.calls[0]!.arguments), /the handler of an event failed.*Error: no/);
  }));

void test("a cursor store that cannot be written ends the consumer, at once or at its end", () =>
  withGateway(async (gateway) => {
    gateway.scripts = [
      (stream) => {
        stream.events("a1", "a2");
      },
    ];
    const cursorStore = new FileCursorStore("/nowhere/position");
    await assert.rejects(
      gateway.client.consume({ cursorStore }, () => undefined),
      { code: "ENOENT" },
    );
    let saves = 0;
    const failing = {
      load: () => Promise.resolve(undefined),
      save: () => (++saves === 1 ? Promise.resolve() : Promise.reject(new Error("full"))),
    };
    const stop = new AbortController();
    const consuming = gateway.client.consume(
      { cursorStore: failing, cursorSaveIntervalMs: 3_600_000, signal: stop.signal },
      async ({ cursor }) => {
        if (text(cursor) !== "a2") return;
        while (saves === 0) await new Promise(setImmediate);
        setImmediate(() => {
          stop.abort();
        });
      },
    );
    await assert.rejects(consuming, /full/);
  }));
