import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, status as Code, type StatusObject } from "@grpc/grpc-js";
import { GatewayError } from "@aulm/gateway-client";
import { RateLimit } from "@aulm/gateway-client/v1";
import * as details from "../src/gen/google/rpc/error_details.js";
import { gatewayStatus, statusOf } from "./fake-gateway.js";

void test("details become members", () => {
  const error = GatewayError.from(
    statusOf(Code.RESOURCE_EXHAUSTED, [
      ["google.rpc.ErrorInfo", details.ErrorInfo.encode({
          reason: "DAILY_QUOTA_EXCEEDED",
          domain: "aulm.io",
          metadata: { outcome: "not_sent", request_id: "order-1", earliest_cursor: "AQID", new: "thing" },
        }).finish()],
      ["google.rpc.RetryInfo", details.RetryInfo.encode({ retryDelay: { seconds: 2, nanos: 500_000_000 } }).finish()],
      ["google.rpc.RequestInfo", details.RequestInfo.encode({ requestId: "aulm-1", servingData: "" }).finish()],
      ["google.rpc.BadRequest", details.BadRequest.encode(details.BadRequest.fromPartial({
          fieldViolations: [{ field: "to", description: "no number" }],
        })).finish()],
      ["google.rpc.PreconditionFailure", details.PreconditionFailure.encode({
          violations: [{ type: "t", subject: "session:1", description: "pair it" }],
        }).finish()],
      ["google.rpc.QuotaFailure", details.QuotaFailure.encode(details.QuotaFailure.fromPartial({
          violations: [{ subject: "account:default", description: "used up" }],
        })).finish()],
      ["google.rpc.ResourceInfo", details.ResourceInfo.encode(details.ResourceInfo.fromPartial({ description: "gone" })).finish()],
      ["aulm.gateway.v1.RateLimit", RateLimit.encode({ limit: 10, remaining: 0, resetTime: undefined }).finish()],
      ["a.newer.Detail", Buffer.from("anything")],
    ]) as StatusObject,
  ); // prettier-ignore
  assert.equal(error.codeName, "RESOURCE_EXHAUSTED");
  assert.equal(error.reason, "DAILY_QUOTA_EXCEEDED");
  assert.equal(error.domain, "aulm.io");
  assert.equal(error.outcome, "not_sent");
  assert.equal(error.requestId, "order-1");
  assert.deepEqual([...error.earliestCursor!], [1, 2, 3]);
  assert.equal(error.metadata.new, "thing");
  assert.equal(error.retryAfterMs, 2500);
  assert.equal(error.aulmRequestId, "aulm-1");
  assert.deepEqual(error.fieldViolations, [{ subject: "to", description: "no number" }]);
  assert.deepEqual(error.preconditionViolations, [{ subject: "session:1", description: "pair it" }]);
  assert.deepEqual(error.quotaViolations, [{ subject: "account:default", description: "used up" }]);
  assert.equal(error.resourceDescription, "gone");
  assert.equal(error.quota?.limit, 10);
  assert.equal(error.message, "RESOURCE_EXHAUSTED DAILY_QUOTA_EXCEEDED words");
});

void test("an error without details has a code and words", () => {
  const error = GatewayError.from({ code: Code.UNAVAILABLE, details: "broken", metadata: new Metadata() });
  assert.equal(error.message, "UNAVAILABLE broken");
  assert.equal(error.hasDetails, false);
  assert.equal(error.outcome, undefined);
});

void test("details that cannot be read are left out", () => {
  const broken = statusOf(Code.NOT_FOUND, [["google.rpc.ErrorInfo", Buffer.from([0xff, 0xff, 0xff])]]);
  assert.equal(GatewayError.from(broken as StatusObject).reason, "");
  const trailer = new Metadata();
  trailer.set("grpc-status-details-bin", Buffer.from([0xff, 0xff]));
  assert.equal(GatewayError.from({ code: Code.NOT_FOUND, details: "", metadata: trailer }).code, Code.NOT_FOUND);
});

void test("a code that gRPC does not define has a name", () => {
  const error = GatewayError.from({ ...gatewayStatus(Code.UNKNOWN, "ODD"), code: 99 } as never);
  assert.equal(error.codeName, "CODE_99");
});

void test("changed fields leave the rest", () => {
  const error = GatewayError.from(gatewayStatus(Code.UNAVAILABLE, "DRAINING") as StatusObject);
  const changed = error.with({ outcome: "unknown" });
  assert.equal(changed.outcome, "unknown");
  assert.equal(changed.message, error.message);
  assert.equal(changed.reason, "DRAINING");
});
