// The gateway's calls and events, at home in TypeScript: sends that are tried again where that is safe, typed errors,
// deadlines, and subscriptions that survive whatever happens to the connection. One client serves a whole process.
import { randomUUID } from "node:crypto";
import { Channel, type ClientOptions, status as Code } from "@grpc/grpc-js";
import type { CursorStore } from "./cursor-store.js";
import { EventConsumer, type EventHandler } from "./event-consumer.js";
import { EventFeed } from "./event-feed.js";
import { EventFollower, sharedIsConsumed } from "./event-follower.js";
import type { Event } from "./gen/aulm/gateway/v1/event.js";
import * as events from "./gen/aulm/gateway/v1/event_service.js";
import * as messaging from "./gen/aulm/gateway/v1/messaging_service.js";
import * as quotas from "./gen/aulm/gateway/v1/quota_service.js";
import type { Session } from "./gen/aulm/gateway/v1/session.js";
import * as sessions from "./gen/aulm/gateway/v1/session_service.js";
import * as subscriptions from "./gen/aulm/gateway/v1/subscription_service.js";
import { GatewayError } from "./gateway-error.js";
import {
  channelCredentials,
  clientOptions,
  MAX_MESSAGE_BYTES,
  type BackoffOptions,
  type GatewayOptions,
} from "./gateway-options.js";
import { toMilliseconds } from "./durations.js";
import { ConversationLanes } from "./conversation-lanes.js";
import { PositionKeeper } from "./position-keeper.js";
import { sendWithRetries } from "./send-retry.js";
import { Settler } from "./settler.js";
import { Subscriptions } from "./subscriptions.js";
import { checkSubscribeOptions, startOf, type Start, type SubscribeOptions } from "./subscribe-options.js";
import { notMade, type Start as StartCall, unaryCall, type UnaryOptions } from "./unary-call.js";

/** A text to send. */
export interface TextMessage {
  /** The WhatsApp session to send from (UUID), as aulm's dashboard shows it. */
  sessionId: string;
  /** The recipient's phone number, E.164 ("+966512345678"). */
  to: string;
  /** The text, 1 to 4096 characters. */
  body: string;
  /**
   * Your own id of this send, 1 to 128 printable ASCII characters: a later call with the same id never sends twice. Default:
   * a UUID, which answers and errors return.
   */
  requestId?: string;
  /** Your own marks, at most 16; the events about this message carry them. */
  labels?: Record<string, string>;
}

/** An image to send. */
export interface ImageMessage extends Omit<TextMessage, "body"> {
  /** A public https URL, which aulm fetches, or the file's bytes, at most 5 MiB. */
  image: URL | string | Uint8Array;
  /** Of bytes: image/jpeg, image/png, image/webp or image/gif. Default: recognised from the bytes. */
  mimeType?: string;
  /** At most 1024 characters. */
  caption?: string;
}

/** Which page of the log to read. */
export interface ReadEventsOptions extends UnaryOptions {
  /** Default: "latest", and so nothing yet. A page's `nextCursor` reads the next one. */
  start?: Start;
  /** Default: all events. */
  filter?: Partial<events.EventFilter>;
  /** At most 1000. Default: 100. */
  pageSize?: number;
  includeRawBody?: boolean;
}

/** How to consume events. */
export interface ConsumeOptions extends SubscribeOptions {
  /** How many handlers may run at the same time. Events of one conversation wait for each other. Default: 16. */
  concurrency?: number;
  /** How often deliveries of mode SHARED are extended. Default: a third of the subscription's ack deadline. */
  extendEveryMs?: number;
  /** A handler failed in mode SHARED: the delivery is retried. Default: this is logged, with console.error. */
  onHandlerFailed?: (error: unknown, event: Event) => void;
}

const SEND_TIMEOUT_MS = 30_000;
const READ_TIMEOUT_MS = 10_000;
const ACKNOWLEDGE_TIMEOUT_MS = 3_000;
const SETTLING_WHILE_STOPPING_MS = 2_000;
const SEND_BACKOFF: BackoffOptions = { leastMs: 200, mostMs: 5_000 };
const MOST_EVENTS_IN_HAND = 1_000;
const UNKNOWN_DEADLINE_EXTEND_MS = 5_000;

function logFailedHandler(error: unknown): void {
  console.error("aulm gateway: the handler of an event failed; it is delivered again:", error);
}

/** Calls one gateway. Does not connect before the first call. */
export class GatewayClient {
  /** The generated stubs, on this client's channel: no default deadlines, and grpc-js's own errors. */
  readonly stubs: {
    readonly messaging: messaging.MessagingServiceClient;
    readonly events: events.EventServiceClient;
    readonly sessions: sessions.SessionServiceClient;
    readonly subscriptions: subscriptions.SubscriptionServiceClient;
    readonly quotas: quotas.QuotaServiceClient;
  };
  /** The gateway's durable subscriptions: to make, look at, move and delete them. */
  readonly subscriptions: Subscriptions;

  readonly #channel: Channel;
  readonly #closing = new AbortController();

  /** @throws TypeError or RangeError naming the option that is wrong. */
  constructor(private readonly options: GatewayOptions = {}) {
    const { interceptors = [], ...channelOptions } = clientOptions(options);
    const target = options.target ?? "127.0.0.1:50051";
    const credentials = channelCredentials(options);
    this.#channel = new Channel(target, credentials, channelOptions);
    const shared: ClientOptions = { channelOverride: this.#channel, interceptors };
    this.stubs = {
      messaging: new messaging.MessagingServiceClient(target, credentials, shared),
      events: new events.EventServiceClient(target, credentials, shared),
      sessions: new sessions.SessionServiceClient(target, credentials, shared),
      subscriptions: new subscriptions.SubscriptionServiceClient(target, credentials, shared),
      quotas: new quotas.QuotaServiceClient(target, credentials, shared),
    };
    this.subscriptions = new Subscriptions(this.stubs.subscriptions, (call, given) => this.#read(call, given));
  }

  /**
   * Sends a text. Tries again, under the one request id, what was not sent or may not have reached the gateway.
   *
   * @throws GatewayError; its `outcome` says whether the text may have gone out.
   */
  sendText(message: TextMessage, options: UnaryOptions = {}): Promise<messaging.SendTextResponse> {
    const requestId = message.requestId ?? randomUUID();
    const request = messaging.SendTextRequest.fromPartial({ ...message, requestId });
    const { length } = messaging.SendTextRequest.encode(request).finish();
    return this.#send(requestId, length, (m, o, done) => this.stubs.messaging.sendText(request, m, o, done), options);
  }

  /** Sends an image; otherwise as {@link sendText}. */
  sendImage(message: ImageMessage, options: UnaryOptions = {}): Promise<messaging.SendImageResponse> {
    const { image, mimeType, ...rest } = message;
    const requestId = message.requestId ?? randomUUID();
    const request = messaging.SendImageRequest.fromPartial({
      ...rest,
      requestId,
      image:
        image instanceof Uint8Array
          ? { $case: "imageData", value: { data: image, mimeType: mimeType ?? "" } }
          : { $case: "imageUrl", value: image.toString() },
    });
    const { length } = messaging.SendImageRequest.encode(request).finish();
    return this.#send(requestId, length, (m, o, done) => this.stubs.messaging.sendImage(request, m, o, done), options);
  }

  /** What became of a send, and each status that aulm has told since: by your request id, or by aulm's message id. */
  getMessage(
    key: { requestId: string } | messaging.MessageKey,
    options: UnaryOptions = {},
  ): Promise<messaging.GetMessageResponse> {
    const request: messaging.GetMessageRequest = {
      key: "requestId" in key ? { $case: "requestId", value: key.requestId } : { $case: "message", value: key },
    };
    return this.#read((m, o, done) => this.stubs.messaging.getMessage(request, m, o, done), options);
  }

  /** A session's state, which the gateway asks aulm for. */
  async getSessionStatus(sessionId: string, options: UnaryOptions = {}): Promise<Session> {
    const { session } = await this.#read<sessions.GetSessionStatusResponse>(
      (m, o, done) => this.stubs.sessions.getSessionStatus({ sessionId }, m, o, done),
      options,
    );
    return session!;
  }

  /** What aulm last told of an account's quota. */
  getQuota(account = "", options: UnaryOptions = {}): Promise<quotas.GetQuotaResponse> {
    return this.#read((m, o, done) => this.stubs.quotas.getQuota({ account }, m, o, done), options);
  }

  /** One page of the log. */
  readEvents(options: ReadEventsOptions = {}): Promise<events.ReadEventsResponse> {
    const request = events.ReadEventsRequest.fromPartial({
      start: startOf(options.start),
      filter: options.filter === undefined ? undefined : events.EventFilter.fromPartial(options.filter),
      pageSize: options.pageSize,
      includeRawBody: options.includeRawBody,
    });
    return this.#read((m, o, done) => this.stubs.events.readEvents(request, m, o, done), options);
  }

  /**
   * Follows events one at a time: `for await (const event of client.subscribe({ signal }))`. The gateway is held back while
   * the loop's body runs.
   *
   * @throws TypeError for options that contradict each other.
   */
  subscribe(options: SubscribeOptions = {}): EventFollower {
    checkSubscribeOptions(options);
    const stop = new AbortController();
    const keeper = this.#keeper(options, stop);
    const signal = this.#stopSignal(stop, options);
    const { subscription: name } = options;
    const feed = this.#feed(options, keeper, signal, true, async (first) => {
      if (!first || name === undefined) return;
      // Before any stream: a delivery of a subscription of mode SHARED counts as an attempt.
      const found = await this.subscriptions.get(name, { signal }).catch((error: unknown) => {
        if (error instanceof GatewayError && error.code === Code.PERMISSION_DENIED) return undefined; // need not ask
        throw error;
      });
      if (found?.mode === subscriptions.SubscriptionMode.SHARED) throw sharedIsConsumed();
    });
    return new EventFollower(feed, keeper, () => {
      stop.abort();
    });
  }

  /**
   * Hands events to `handler`, several at a time, and those of one conversation one after the other. Resolves once `signal`
   * is aborted and the handlers that had begun are done.
   *
   * In a durable subscription of mode SHARED each event is settled as its handler says; the rest are retried.
   *
   * @throws GatewayError for what another try cannot mend, the handler's own error (but in mode SHARED), the cursor store's, and
   * TypeError for an answer of the handler's that is no {@link Verdict}.
   */
  async consume(options: ConsumeOptions, handler: EventHandler): Promise<void> {
    checkSubscribeOptions(options);
    const stop = new AbortController();
    const giveUp = new AbortController();
    const signal = this.#stopSignal(stop, options);
    const keeper = this.#keeper(options, stop);
    const concurrency = options.concurrency ?? 16;
    if (!(concurrency >= 1)) throw new RangeError(`concurrency is ${concurrency}: at least 1`);
    const lanes = new ConversationLanes(concurrency, Math.max(MOST_EVENTS_IN_HAND, concurrency));
    let extendEveryMs = options.extendEveryMs ?? UNKNOWN_DEADLINE_EXTEND_MS;
    const { subscription: name } = options;
    const feed = this.#feed(options, keeper, signal, false, async (first) => {
      if (first && name !== undefined && options.extendEveryMs === undefined) {
        const { ackDeadline } = await this.subscriptions.get(name, { signal });
        if (ackDeadline !== undefined) extendEveryMs = toMilliseconds(ackDeadline) / 3;
      }
      // The gateway goes on after what is acknowledged: what is still being handled would come twice.
      if (!first && keeper.position !== undefined) await lanes.idle();
    });
    const settler =
      name === undefined ? undefined : new Settler(name, (request) => this.#acknowledge(request), giveUp.signal);
    signal.addEventListener("abort", () => {
      setTimeout(() => {
        giveUp.abort();
      }, SETTLING_WHILE_STOPPING_MS).unref();
    });
    const { onHandlerFailed = logFailedHandler } = options;
    await new EventConsumer(
      {
        feed,
        keeper,
        settler,
        lanes,
        signal,
        stop: () => {
          stop.abort();
        },
        extendEveryMs: () => extendEveryMs,
        onHandlerFailed,
      },
      handler,
    ).run();
  }

  /** Stops every subscription and closes the connections. Calls that are under way fail. */
  close(): void {
    this.#closing.abort();
    this.#channel.close();
  }

  #send<Response>(
    requestId: string,
    bytes: number,
    call: StartCall<Response>,
    options: UnaryOptions,
  ): Promise<Response> {
    const deadline = performance.now() + (options.timeoutMs ?? this.options.timeoutMs ?? SEND_TIMEOUT_MS);
    return sendWithRetries(() => this.#attempt(bytes, call, deadline, options.signal), {
      requestId,
      deadline,
      backoff: this.options.sendBackoff ?? SEND_BACKOFF,
      signal: options.signal,
    });
  }

  // Refuses what cannot be sent, as not_sent.
  async #attempt<Response>(
    bytes: number,
    call: StartCall<Response>,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    if (this.#closing.signal.aborted) throw notMade(Code.CANCELLED, "the client is closed");
    if (bytes > MAX_MESSAGE_BYTES) {
      const words = `the request has ${bytes} bytes, the gateway takes ${MAX_MESSAGE_BYTES}: an image may have 5 MiB`;
      throw notMade(Code.INVALID_ARGUMENT, words);
    }
    return unaryCall(call, deadline, signal);
  }

  async #read<Response>(call: StartCall<Response>, options: UnaryOptions): Promise<Response> {
    const deadline = performance.now() + (options.timeoutMs ?? this.options.timeoutMs ?? READ_TIMEOUT_MS);
    try {
      return await this.#attempt(0, call, deadline, options.signal);
    } catch (error) {
      throw error instanceof GatewayError && !error.hasDetails ? error.with({ outcome: undefined }) : error; // no send
    }
  }

  #acknowledge(request: events.AcknowledgeEventsRequest): Promise<events.AcknowledgeEventsResponse> {
    return this.#read((m, o, done) => this.stubs.events.acknowledgeEvents(request, m, o, done), {
      timeoutMs: ACKNOWLEDGE_TIMEOUT_MS,
    });
  }

  #stopSignal(stop: AbortController, { signal }: SubscribeOptions): AbortSignal {
    return AbortSignal.any([stop.signal, this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
  }

  #feed(
    options: SubscribeOptions,
    keeper: PositionKeeper,
    signal: AbortSignal,
    leaveOnStop: boolean,
    prepare: (first: boolean) => Promise<void>,
  ): EventFeed {
    const durable = options.subscription !== undefined;
    const onInterrupted: SubscribeOptions["onInterrupted"] = (error, waitMs) => {
      void keeper.tryFlush();
      options.onInterrupted?.(error, waitMs);
    };
    return new EventFeed(this.stubs.events, { ...options, onInterrupted }, signal, leaveOnStop, async (first) => {
      if (durable || first) await prepare(first);
      if (durable && !first) await keeper.flush();
    });
  }

  #keeper(options: SubscribeOptions, stop: AbortController): PositionKeeper {
    const store = options.subscription === undefined ? options.cursorStore : this.#serverStore(options.subscription);
    return new PositionKeeper(
      store,
      options.cursorSaveIntervalMs ?? 1_000,
      (error) => {
        options.onCursorNotSaved?.(error);
      },
      () => {
        stop.abort();
      },
    );
  }

  // A durable subscription of mode CURSOR keeps the position in the gateway.
  #serverStore(subscription: string): CursorStore {
    return {
      load: () => Promise.resolve(undefined),
      save: async (upToCursor) => {
        await this.#acknowledge({ subscription, upToCursor, settlements: [] });
      },
    };
  }
}
