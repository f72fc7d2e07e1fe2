// What to subscribe to, and how; and the request that the gateway gets for it.
import type { CursorStore } from "./cursor-store.js";
import { toDuration } from "./durations.js";
import type { GatewayError } from "./gateway-error.js";
import type { BackoffOptions } from "./gateway-options.js";
import {
  EventFilter,
  type Gap,
  type Heartbeat,
  OnExpiredCursor,
  StartPosition,
  type Started,
  SubscribeEventsRequest,
} from "./gen/aulm/gateway/v1/event_service.js";

/** A place in the log: one of its ends, the first event stored at or after a time, or after an event's cursor. */
export type Start = "earliest" | "latest" | Date | { after: Uint8Array };

/** How to follow events. All of it is optional. */
export interface SubscribeOptions {
  /** Where to start, as long as `cursorStore` has no cursor. Default: "latest". Not with `subscription`. */
  start?: Start;
  /** Which events. Default: all. Not with `subscription`. */
  filter?: Partial<EventFilter>;
  /** The name of a durable subscription, whose start, filter and position live in the gateway. */
  subscription?: string;
  /** Names this consumer of a durable subscription for the eyes of operators. Default: the gateway makes one. */
  consumerId?: string;
  /** Ends the consumer that now holds the durable subscription, instead of waiting until it goes. Mode CURSOR. */
  takeOver?: boolean;
  /** Most events a frame, 1 to 1000. Default: 256. */
  maxBatchEvents?: number;
  /** Most deliveries that may be unsettled, 1 to 10 000. Default: 100. Mode SHARED. */
  maxOutstandingEvents?: number;
  /** How often the gateway gives a sign of life, 1000 to 20 000. Three times this in silence ends a stream. Default: 20 000. */
  heartbeatIntervalMs?: number;
  /** What to do about a cursor that the log no longer covers. Default: FAIL. */
  onExpiredCursor?: OnExpiredCursor;
  /** Also get each event's `rawBody`. */
  includeRawBody?: boolean;
  /** Keeps the position over restarts of this process. Not with `subscription`. Default: each start is anew. */
  cursorStore?: CursorStore;
  /** The position is saved at most this often, and at the end; a crash repeats the events handled since. Default: 1000. */
  cursorSaveIntervalMs?: number;
  /** The waits before reconnecting. Default: 200 doubled up to 10 000, jittered. */
  backoff?: BackoffOptions;
  /** Stops the subscription, cleanly and without an error. */
  signal?: AbortSignal;

  /** Connected: at the start and after each interruption. */
  onStarted?: (started: Started) => void;
  /** Tells whether the subscription has caught up, and how far behind it is. */
  onHeartbeat?: (heartbeat: Heartbeat) => void;
  /** Events that can no longer be had. */
  onGap?: (gap: Gap) => void;
  /** The stream ended (a Drain has reason "DRAINING", silence has none); it is tried again after `waitMs`. */
  onInterrupted?: (error: GatewayError, waitMs: number) => void;
  /**
   * The gateway could not take the position of a durable subscription; it is tried again. (A cursor store that fails ends
   * the subscription.)
   */
  onCursorNotSaved?: (error: unknown) => void;
}

/** The waits before reconnecting, unless asked otherwise. */
export const RECONNECT_BACKOFF: BackoffOptions = { leastMs: 200, mostMs: 10_000 };

/** @throws TypeError for options that contradict each other. */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  if (options.subscription === undefined) return;
  for (const name of ["start", "filter", "cursorStore", "onExpiredCursor"] as const) {
    if (options[name] !== undefined) {
      throw new TypeError(`${name}: a durable subscription keeps this in the gateway; leave it out`);
    }
  }
}

/** The request for a stream that goes on after `position`, or at the start that was asked for. */
export function subscribeRequest(options: SubscribeOptions, position: Uint8Array | undefined): SubscribeEventsRequest {
  const durable = options.subscription !== undefined;
  return SubscribeEventsRequest.fromPartial({
    start: durable ? undefined : startOf(position === undefined ? options.start : { after: position }),
    filter: options.filter === undefined ? undefined : EventFilter.fromPartial(options.filter),
    subscription: options.subscription,
    consumerId: options.consumerId,
    takeOver: options.takeOver,
    maxBatchEvents: options.maxBatchEvents,
    maxOutstandingEvents: options.maxOutstandingEvents,
    heartbeatInterval: toDuration(options.heartbeatIntervalMs),
    onExpiredCursor: options.onExpiredCursor ?? OnExpiredCursor.UNSPECIFIED,
    includeRawBody: options.includeRawBody,
  });
}

/** `start` as the messages have it. */
export function startOf(start: Start = "latest"): NonNullable<SubscribeEventsRequest["start"]> {
  if (start === "earliest") return { $case: "position", value: StartPosition.EARLIEST };
  if (start === "latest") return { $case: "position", value: StartPosition.LATEST };
  if (start instanceof Date) return { $case: "startTime", value: start };
  return { $case: "afterCursor", value: start.after };
}
