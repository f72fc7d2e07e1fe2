import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayClient, SERVICE_CONFIG_JSON } from "@aulm/gateway-client";

void test("a keepalive that the gateway would take for an attack is refused", () => {
  assert.throws(() => new GatewayClient({ keepaliveMs: 19_999 }), /keepaliveMs is 19999.*20000/);
});

void test("a client certificate without its key is refused", () => {
  assert.throws(() => new GatewayClient({ tls: { certificate: "PEM" } }), /go together/);
});

void test("no send is repeated by the channel", () => {
  const config = JSON.parse(SERVICE_CONFIG_JSON) as { methodConfig: { name: { method: string }[] }[] };
  const methods = config.methodConfig.flatMap(({ name }) => name).map(({ method }) => method);
  assert.ok(methods.includes("ReadEvents"));
  assert.deepEqual(methods.filter((method) => !/^(Get|List|Read)/.test(method)), []); // prettier-ignore
});
