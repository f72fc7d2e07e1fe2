// A failed call as an error: everything that the gateway put into the status and its details (grpc-status-details-bin),
// decoded once. Every call of GatewayClient fails with it, and with nothing else that comes from the gateway.
import { status as Code, type Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import type { MessageFns } from "./message-fns.js";
import { RateLimit } from "./gen/aulm/gateway/v1/rate_limit.js";
import type { Any } from "./gen/google/protobuf/any.js";
import * as details from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import { toMilliseconds } from "./durations.js";

/** What became of a send that failed: `not_sent`, and a repeat is safe; `unknown`, and a repeat may send it twice. */
export type Outcome = "not_sent" | "unknown";

/** One complaint, as the standard details list them. */
export interface Violation {
  /** The field ("to", "filter.types[2]"), the precondition's subject ("session:…") or the quota's ("account:…"). */
  subject: string;
  /** What is wrong and how it is mended. */
  description: string;
}

/** What an error is made of; see the members of {@link GatewayError}. */
export interface GatewayErrorFields {
  code: Code;
  description: string;
  reason: string;
  domain: string;
  outcome: Outcome | undefined;
  retryAfterMs: number | undefined;
  quota: RateLimit | undefined;
  requestId: string;
  aulmRequestId: string;
  fieldViolations: Violation[];
  preconditionViolations: Violation[];
  quotaViolations: Violation[];
  resourceDescription: string;
  earliestCursor: Uint8Array | undefined;
  metadata: Record<string, string>;
}

/** A failed call. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  /** The gRPC code, `status` of `@grpc/grpc-js`; {@link codeName} is its name. */
  readonly code: Code;
  /** The gateway's own words, for developers, in English; `message` has the code and the reason before them. */
  readonly description: string;
  /**
   * UPPER_SNAKE: aulm's error code (domain "aulm.io") or the gateway's own (domain "aulm-gateway"). Both empty when the
   * error came without details, from a broken connection or a proxy.
   */
  readonly reason: string;
  readonly domain: string;
  /** What became of the send. Absent where the call was no send. */
  readonly outcome: Outcome | undefined;
  /** Wait at least this long before a repeat. */
  readonly retryAfterMs: number | undefined;
  /** The account's quota, where aulm told it. */
  readonly quota: RateLimit | undefined;
  /** The send's request id: the caller's, or the one that the client made. Empty on reads. */
  readonly requestId: string;
  /** aulm's x-request-id: quote it to aulm's support. Empty when aulm was not asked. */
  readonly aulmRequestId: string;
  /** Which fields of the request are wrong. */
  readonly fieldViolations: readonly Violation[];
  /** What must be put right before the call can work. */
  readonly preconditionViolations: readonly Violation[];
  /** Which quota ran out. */
  readonly quotaViolations: readonly Violation[];
  /** What the error says of the session or subscription it is about; empty when nothing. */
  readonly resourceDescription: string;
  /** With CURSOR_EXPIRED: the cursor where the log now starts, ready for `start: { after }`. */
  readonly earliestCursor: Uint8Array | undefined;
  /** ErrorInfo's metadata, whole: also what this version has no field for. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(fields: Partial<GatewayErrorFields> & { code: Code; description: string }, options?: ErrorOptions) {
    super([Code[fields.code], fields.reason, fields.description].filter(Boolean).join(" "), options);
    this.description = fields.description;
    this.code = fields.code;
    this.reason = fields.reason ?? "";
    this.domain = fields.domain ?? "";
    this.outcome = fields.outcome;
    this.retryAfterMs = fields.retryAfterMs;
    this.quota = fields.quota;
    this.requestId = fields.requestId ?? "";
    this.aulmRequestId = fields.aulmRequestId ?? "";
    this.fieldViolations = fields.fieldViolations ?? [];
    this.preconditionViolations = fields.preconditionViolations ?? [];
    this.quotaViolations = fields.quotaViolations ?? [];
    this.resourceDescription = fields.resourceDescription ?? "";
    this.earliestCursor = fields.earliestCursor;
    this.metadata = fields.metadata ?? {};
  }

  /** "NOT_FOUND" and the like; "CODE_17" for a number that gRPC does not define. */
  get codeName(): string {
    return this.code in Code ? Code[this.code] : `CODE_${this.code}`;
  }

  /** True where the gateway itself answered: the error has an ErrorInfo. */
  get hasDetails(): boolean {
    return this.reason !== "";
  }

  /** @internal True for what the same call, repeated, may well not meet again. */
  get mayPass(): boolean {
    return [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.ABORTED].includes(this.code);
  }

  /** Decodes a failed call of a stub. Details that cannot be read are left out, never an error of their own. */
  static from(error: ServiceError | StatusObject): GatewayError {
    const fields: Partial<GatewayErrorFields> & { code: Code; description: string } = {
      code: error.code,
      description: error.details,
    };
    for (const detail of detailsOf(error.metadata)) readDetail(detail, fields);
    return new GatewayError(fields, error instanceof Error ? { cause: error } : undefined);
  }

  /** This error with other fields where given. */
  with(changes: Partial<GatewayErrorFields>): GatewayError {
    return new GatewayError(Object.assign({}, this, changes), { cause: this.cause });
  }
}

function detailsOf(metadata: Metadata | undefined): Any[] {
  const [encoded] = metadata?.get("grpc-status-details-bin") ?? [];
  if (!Buffer.isBuffer(encoded)) return [];
  return decode(Status, encoded)?.details ?? [];
}

function decode<T>(type: MessageFns<T>, bytes: Uint8Array): T | undefined {
  try {
    return type.decode(bytes);
  } catch {
    return undefined;
  }
}

type Fields = Partial<GatewayErrorFields>;

function reader<T>(type: MessageFns<T>, read: (detail: T, into: Fields) => void) {
  return (bytes: Uint8Array, into: Fields) => {
    const detail = decode(type, bytes);
    if (detail !== undefined) read(detail, into);
  };
}

const READERS: Record<string, (bytes: Uint8Array, into: Fields) => void> = {
  "google.rpc.ErrorInfo": reader(details.ErrorInfo, ({ reason, domain, metadata }, into) => {
    Object.assign(into, { reason, domain, metadata });
    const { outcome, request_id: requestId, earliest_cursor: earliest } = metadata;
    if (outcome === "not_sent" || outcome === "unknown") into.outcome = outcome;
    if (requestId) into.requestId = requestId;
    if (earliest) into.earliestCursor = Buffer.from(earliest, "base64url");
  }),
  "google.rpc.RetryInfo": reader(details.RetryInfo, ({ retryDelay }, into) => {
    into.retryAfterMs = toMilliseconds(retryDelay);
  }),
  "google.rpc.RequestInfo": reader(details.RequestInfo, ({ requestId }, into) => {
    into.aulmRequestId = requestId;
  }),
  "google.rpc.BadRequest": reader(details.BadRequest, ({ fieldViolations }, into) => {
    into.fieldViolations = fieldViolations.map(({ field, description }) => ({ subject: field, description }));
  }),
  "google.rpc.PreconditionFailure": reader(details.PreconditionFailure, ({ violations }, into) => {
    into.preconditionViolations = violations.map(({ subject, description }) => ({ subject, description }));
  }),
  "google.rpc.QuotaFailure": reader(details.QuotaFailure, ({ violations }, into) => {
    into.quotaViolations = violations.map(({ subject, description }) => ({ subject, description }));
  }),
  "google.rpc.ResourceInfo": reader(details.ResourceInfo, ({ description }, into) => {
    into.resourceDescription = description;
  }),
  "aulm.gateway.v1.RateLimit": reader(RateLimit, (limit, into) => {
    into.quota = limit;
  }),
};

function readDetail({ typeUrl, value }: Any, into: Fields): void {
  READERS[typeUrl.slice(typeUrl.lastIndexOf("/") + 1)]?.(value, into);
}
