// @grpc/grpc-js as it comes, with nothing of the client's, on what the gateway sends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials, type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { World } from "./world.js";

const SEND_TEXT = "/aulm.gateway.v1.MessagingService/SendText";

const asIs = (bytes: Buffer): Buffer => bytes;

function call(client: Client, request: Buffer): Promise<ServiceError | null> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(SEND_TEXT, asIs, asIs, request, (error) => {
      resolve(error);
    });
  });
}

function details(metadata: Metadata): string {
  const [bytes] = metadata.get("grpc-status-details-bin");
  assert.ok(Buffer.isBuffer(bytes));
  return bytes.toString("latin1");
}

void test("an error has its code, its message and its details", async () => {
  const world = await World.start();
  const client = new Client(world.target, credentials.createInsecure());
  try {
    const error = await call(client, Buffer.alloc(0));
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error.details, /session_id/);
    const text = details(error.metadata);
    for (const part of [
      "google.rpc.ErrorInfo",
      "INVALID_FIELD",
      "aulm-gateway",
      "google.rpc.BadRequest",
      "session_id",
    ]) {
      assert.ok(text.includes(part), part);
    }
  } finally {
    client.close();
    await world.end();
  }
});
