// The events from one place of the log on, over any number of streams: reconnects, resumes, waits as a Drain asks, and
// gives up what is silent. EventFollower and EventConsumer pull it; handling events is their business.
import { status as Code } from "@grpc/grpc-js";
import { Backoff, spread } from "./backoff.js";
import { toMilliseconds } from "./durations.js";
import { FrameStream } from "./frame-stream.js";
import { GatewayError } from "./gateway-error.js";
import type {
  Delivery,
  Drain,
  EventServiceClient,
  Started,
  SubscribeEventsResponse,
} from "./gen/aulm/gateway/v1/event_service.js";
import { sleep } from "./sleep.js";
import { RECONNECT_BACKOFF, subscribeRequest, type SubscribeOptions } from "./subscribe-options.js";

/** What one frame brought. */
export interface Batch {
  /** Events in log order; none where the position alone moved on. */
  deliveries: Delivery[];
  /** Where to go on after them. Absent in mode SHARED. */
  position: Uint8Array | undefined;
}

/** What the owner of a feed does before it connects: at the start, and after each interruption. */
export type BeforeConnect = (first: boolean) => Promise<void>;

const USUAL_HEARTBEAT_MS = 20_000;
const SILENT_HEARTBEATS = 3;
const NOTHING = new Uint8Array();

// What another try with the same request cannot mend.
const FINAL_CODES: readonly Code[] = [
  Code.INVALID_ARGUMENT,
  Code.NOT_FOUND,
  Code.ALREADY_EXISTS,
  Code.PERMISSION_DENIED,
  Code.UNAUTHENTICATED,
  Code.FAILED_PRECONDITION,
  Code.OUT_OF_RANGE,
  Code.UNIMPLEMENTED,
];

/** One subscriber's events. */
export class EventFeed {
  readonly #backoff: Backoff;
  #stream: FrameStream | undefined;
  #first = true;
  #hasStarted = false; // some stream has
  #progressed = false; // this stream sent more than Started and Drain
  #position: Uint8Array | undefined; // after everything that next() returned
  #drained: Drain | undefined;

  /**
   * `leaveOnStop`: aborting the signal ends the stream too; otherwise that stays until close(), since the tokens of deliveries
   * end with it. `beforeConnect` fails as a stream would: a GatewayError is an interruption or the end, anything else the end.
   */
  constructor(
    private readonly stub: EventServiceClient,
    private readonly options: SubscribeOptions,
    private readonly signal: AbortSignal,
    private readonly leaveOnStop: boolean,
    private readonly beforeConnect: BeforeConnect,
  ) {
    this.#backoff = new Backoff(options.backoff ?? RECONNECT_BACKOFF);
  }

  /** Where the first stream goes on. */
  set position(position: Uint8Array | undefined) {
    this.#position = position;
  }

  /**
   * What came next, however long that takes; undefined once the signal is aborted.
   *
   * @throws GatewayError for what another try cannot mend, and whatever `beforeConnect` fails with.
   */
  async next(): Promise<Batch | undefined> {
    while (!this.#stopped) {
      try {
        if (this.#drained !== undefined) this.#endDrained(this.#drained);
        this.#stream ??= await this.#connect();
        const batch = this.#accept(await this.#stream.next());
        if (batch !== undefined) return batch;
      } catch (error) {
        if (this.signal.aborted) break;
        this.close();
        if (this.#isFinal(error)) throw error;
        await this.#interrupted(error as GatewayError);
      }
    }
    return undefined;
  }

  /** Ends the stream. */
  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  get #stopped(): boolean {
    return this.signal.aborted;
  }

  #isFinal(error: unknown): boolean {
    if (this.#stopped) return false;
    return !(error instanceof GatewayError) || FINAL_CODES.includes(error.code);
  }

  async #connect(): Promise<FrameStream> {
    await this.beforeConnect(this.#first);
    this.#first = false;
    this.#progressed = false;
    const silence = SILENT_HEARTBEATS * (this.options.heartbeatIntervalMs ?? USUAL_HEARTBEAT_MS);
    const request = subscribeRequest(this.options, this.#position);
    // Once: the consumer that ends this one by a takeover is not to be ended in turn.
    if (this.#hasStarted) request.takeOver = false;
    return new FrameStream(this.stub, request, silence, this.signal, this.leaveOnStop);
  }

  #accept({ frame }: SubscribeEventsResponse): Batch | undefined {
    if (frame?.$case !== "started" && frame?.$case !== "drain") this.#progressed = true;
    switch (frame?.$case) {
      case "started":
        return this.#acceptStarted(frame.value);
      case "eventBatch":
        return this.#moveTo(frame.value.resumeCursor, frame.value.deliveries);
      case "heartbeat":
        this.options.onHeartbeat?.(frame.value);
        return this.#moveTo(frame.value.resumeCursor);
      case "gap":
        this.options.onGap?.(frame.value);
        return this.#moveTo(frame.value.toCursor);
      case "drain":
        this.#drained = frame.value;
        return this.#moveTo(frame.value.resumeCursor);
      case undefined: // of a newer gateway: a sign of life
        return undefined;
    }
  }

  #acceptStarted(started: Started): Batch | undefined {
    this.#hasStarted = true;
    this.options.onStarted?.(started);
    const { start = "latest", subscription } = this.options;
    // Held on to, or an interruption before the first event would start at a newer "latest" and skip what came between.
    const holdOn = this.#position === undefined && start === "latest" && subscription === undefined;
    return holdOn ? this.#moveTo(started.headCursor) : undefined;
  }

  #moveTo(cursor: Uint8Array = NOTHING, deliveries: Delivery[] = []): Batch {
    if (cursor.length === 0) return { deliveries, position: undefined };
    this.#position = cursor;
    return { deliveries, position: cursor };
  }

  #endDrained(drain: Drain): never {
    this.#drained = undefined;
    throw new GatewayError({
      code: Code.UNAVAILABLE,
      reason: "DRAINING",
      domain: "aulm-gateway",
      description: drain.reason,
      retryAfterMs: toMilliseconds(drain.reconnectAfter),
    });
  }

  // Waits before the next stream: at least as long as asked, and longer with each stream that came to nothing.
  async #interrupted(error: GatewayError): Promise<void> {
    if (this.#stopped) return;
    const progressed = this.#progressed;
    this.#progressed = false;
    if (progressed) this.#backoff.reset();
    const told = spread(error.retryAfterMs ?? 0);
    const askedToComeBack = progressed && error.reason === "DRAINING";
    const waitMs = askedToComeBack ? told : Math.max(told, this.#backoff.next());
    this.options.onInterrupted?.(error, waitMs);
    await sleep(waitMs, this.signal);
  }
}
