import assert from "node:assert/strict";
import { test } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { GatewayError, type GatewayOptions } from "@aulm/gateway-client";
import { FakeGateway, gatewayStatus } from "./fake-gateway.js";

const MESSAGE = { sessionId: "s", to: "+966512345678", body: "Hello" };
const NOT_SENT = gatewayStatus(Code.UNAVAILABLE, "CONNECT_FAILED", { outcome: "not_sent" });
const BARE = { code: Code.UNAVAILABLE, details: "broken" };

async function withGateway(options: GatewayOptions, body: (gateway: FakeGateway) => Promise<void>): Promise<void> {
  const gateway = await FakeGateway.start(options);
  try {
    await body(gateway);
  } finally {
    gateway.stop();
  }
}

async function failureOf(call: Promise<unknown>): Promise<GatewayError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
}

void test("a send gets a request id, which its own tries share", () =>
  withGateway({}, async (gateway) => {
    gateway.sendAnswers = [NOT_SENT, BARE, {}];
    await gateway.client.sendText(MESSAGE);
    assert.equal(gateway.sends.length, 3);
    assert.match(gateway.sends[0]!.requestId, /^[0-9a-f-]{36}$/);
    assert.equal(new Set(gateway.sends.map(({ requestId }) => requestId)).size, 1);
  }));

void test("the caller's request id is used", () =>
  withGateway({}, async (gateway) => {
    await gateway.client.sendText({ ...MESSAGE, requestId: "order-1", labels: { kind: "greeting" } });
    assert.equal(gateway.sends[0]!.requestId, "order-1");
    assert.deepEqual(gateway.sends[0]!.labels, { kind: "greeting" });
  }));

void test("a send of unknown outcome is not repeated", () =>
  withGateway({}, async (gateway) => {
    gateway.sendAnswers = [gatewayStatus(Code.UNKNOWN, "SEND_OUTCOME_UNKNOWN", { outcome: "unknown" }), {}];
    const error = await failureOf(gateway.client.sendText(MESSAGE));
    assert.equal(error.outcome, "unknown");
    assert.equal(gateway.sends.length, 1);
  }));

void test("an unavailable send whose outcome is told to be unknown is not repeated", () =>
  withGateway({}, async (gateway) => {
    gateway.sendAnswers = [gatewayStatus(Code.UNAVAILABLE, "ODD", { outcome: "unknown" }), {}];
    await failureOf(gateway.client.sendText(MESSAGE));
    assert.equal(gateway.sends.length, 1);
  }));

void test("a bare refusal was not sent, any other bare error is in doubt", () =>
  withGateway({}, async (gateway) => {
    gateway.sendAnswers = [
      { code: Code.UNAUTHENTICATED, details: "" },
      { code: Code.INTERNAL, details: "" },
    ];
    assert.equal((await failureOf(gateway.client.sendText(MESSAGE))).outcome, "not_sent");
    assert.equal((await failureOf(gateway.client.sendText(MESSAGE))).outcome, "unknown");
  }));

void test("a doubt stays until the request id was looked up", () =>
  withGateway({}, async (gateway) => {
    const refused = gatewayStatus(Code.RESOURCE_EXHAUSTED, "OVERLOADED", { outcome: "not_sent" });
    gateway.sendAnswers = [BARE, refused];
    assert.equal((await failureOf(gateway.client.sendText(MESSAGE))).outcome, "unknown");
    const aulms = gatewayStatus(Code.NOT_FOUND, "SESSION_NOT_FOUND", { outcome: "not_sent" }, "aulm.io");
    gateway.sendAnswers = [BARE, aulms];
    assert.equal((await failureOf(gateway.client.sendText(MESSAGE))).outcome, "not_sent");
  }));

void test("tries end with the last error when no time is left", () =>
  withGateway({ timeoutMs: 300 }, async (gateway) => {
    gateway.sendAnswers = [NOT_SENT];
    const error = await failureOf(gateway.client.sendText({ ...MESSAGE, requestId: "order-2" }));
    assert.equal(error.reason, "CONNECT_FAILED");
    assert.equal(error.requestId, "order-2");
    assert.ok(gateway.sends.length > 1);
  }));

void test("a cancelled send says so and is in doubt", () =>
  withGateway({}, async (gateway) => {
    const stop = new AbortController();
    gateway.onSend = () => {
      stop.abort();
    };
    const error = await failureOf(gateway.client.sendText(MESSAGE, { signal: stop.signal }));
    assert.equal(error.codeName, "CANCELLED");
    assert.equal(error.outcome, "unknown");
  }));

const fails = (): string => {
  throw new Error("no token");
};

const REFUSED: [string, GatewayOptions, (gateway: FakeGateway) => Promise<unknown>, string, RegExp][] = [
  ["no time", {}, ({ client }) => client.sendText(MESSAGE, { timeoutMs: 0 }), "DEADLINE_EXCEEDED", /no time/],
  ["a time that is over", { timeoutMs: -1 }, ({ client }) => client.sendText(MESSAGE), "DEADLINE_EXCEEDED", /no time/],
  [
    "an aborted signal",
    {},
    ({ client }) => client.sendText(MESSAGE, { signal: AbortSignal.abort() }),
    "CANCELLED",
    /aborted/,
  ],
  [
    "more than 8 MiB",
    {},
    ({ client }) => client.sendImage({ ...MESSAGE, image: new Uint8Array(8 << 20) }),
    "INVALID_ARGUMENT",
    /8388608/,
  ],
  [
    "a token that cannot be had",
    { token: fails },
    ({ client }) => client.sendText(MESSAGE),
    "UNAUTHENTICATED",
    /no token/,
  ],
  [
    "a token with a line end",
    { token: () => "secret\n" },
    ({ client }) => client.sendText(MESSAGE),
    "UNAUTHENTICATED",
    /printable ASCII/,
  ],
  [
    "a closed client",
    {},
    ({ client }) => {
      client.close();
      return client.sendText(MESSAGE);
    },
    "CANCELLED",
    /closed/,
  ],
];

for (const [name, options, call, code, words] of REFUSED) {
  void test(`a send with ${name} is not made, and says so`, () =>
    withGateway(options, async (gateway) => {
      const error = await failureOf(call(gateway));
      assert.equal(error.codeName, code);
      assert.equal(error.outcome, "not_sent");
      assert.match(error.requestId, /./);
      assert.match(error.message, words);
      assert.doesNotMatch(error.message, /secret/);
      assert.deepEqual(gateway.sends, []);
    }));
}

void test("a read without time is not made", () =>
  withGateway({}, async (gateway) => {
    const error = await failureOf(gateway.client.getSessionStatus("s", { timeoutMs: 0 }));
    assert.equal(error.codeName, "DEADLINE_EXCEEDED");
    assert.equal(error.outcome, undefined);
    assert.deepEqual(gateway.metadata, []);
  }));

void test("deadlines do not follow the wall clock", (context) =>
  withGateway({ timeoutMs: 10_000 }, async (gateway) => {
    // Half a day passes by the wall clock while the gateway is tried.
    gateway.sendAnswers = [NOT_SENT, {}];
    gateway.onSend = () => {
      const now = Date.now() + 43_200_000;
      context.mock.method(Date, "now", () => now);
    };
    await gateway.client.sendText(MESSAGE);
    assert.equal(gateway.sends.length, 2);
  }));

void test("a token that cannot be had ends a subscription", () =>
  withGateway({ token: fails }, async (gateway) => {
    const error = await failureOf(gateway.client.subscribe().next());
    assert.equal(error.codeName, "UNAUTHENTICATED");
    assert.deepEqual(gateway.subscribed, []);
  }));

void test("the channel repeats unavailable reads", () =>
  withGateway({}, async (gateway) => {
    gateway.statusAnswers = [BARE, BARE, { session: { aulmState: "connected" } }];
    assert.equal((await gateway.client.getSessionStatus("s")).aulmState, "connected");
  }));

void test("the token is asked for once a call", () => {
  let number = 0;
  return withGateway({ token: () => `token-${++number}` }, async (gateway) => {
    await gateway.client.sendText(MESSAGE);
    await gateway.client.sendText(MESSAGE);
    const tokens = gateway.metadata.map((metadata) => metadata.get("authorization")[0]);
    assert.deepEqual(tokens, ["Bearer token-1", "Bearer token-2"]);
  });
});

void test("no token is sent where there is none", () =>
  withGateway({ token: "" }, async (gateway) => {
    await gateway.client.sendText(MESSAGE);
    assert.deepEqual(gateway.metadata[0]!.get("authorization"), []);
  }));
