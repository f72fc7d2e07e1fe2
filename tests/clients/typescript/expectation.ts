// What a conformance case expects, compared with what the client gave: names of the table's fields to the client's, codes and
// enum values by their names. A field that is not known here is an error.
import assert from "node:assert/strict";
import { GatewayError, MessageStatus, SessionState } from "@aulm/gateway-client";

type Facts = Record<string, unknown>;

/** `session_id` as `sessionId`. */
export function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== "" && !(value instanceof Uint8Array && value.length === 0);
}

/** Fails where `actual` is not as `expected`; "present" means not empty. */
export function expectFacts(actual: Facts, expected: Facts, where = ""): void {
  for (const [name, value] of Object.entries(expected)) {
    assert.ok(name in actual, `${where}${name}: not known to this runner`);
    if (value === "present") assert.ok(isPresent(actual[name]), `${where}${name} is empty`);
    else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      expectFacts(actual[name] as Facts, value as Facts, `${where}${name}.`);
    } else assert.deepEqual(actual[name], value, `${where}${name}`);
  }
}

/** An error by the table's names. */
export function errorFacts(error: unknown): Facts {
  if (!(error instanceof GatewayError)) throw error;
  return {
    code: error.codeName,
    reason: error.reason,
    domain: error.domain,
    outcome: error.outcome ?? "none",
    retry_after: error.retryAfterMs,
    quota: error.quota,
    request_id: error.requestId,
    aulm_request_id: error.aulmRequestId,
    fields: error.fieldViolations.map(({ subject }) => subject),
    preconditions: error.preconditionViolations.length,
    earliest_cursor: error.earliestCursor,
  };
}

/** An answer by the table's names: the members of its message or session, and its own. */
export function answerFacts(answer: Facts): Facts {
  const facts: Facts = {};
  for (const source of [answer, (answer.message ?? {}) as Facts]) {
    for (const [name, value] of Object.entries(source)) {
      facts[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
    }
  }
  if ("status" in facts) facts.status = MessageStatus[facts.status as number];
  if ("state" in facts) facts.state = SessionState[facts.state as number];
  return facts;
}
