// The gateway's durable subscriptions: named positions in the log that live on the server. GatewayClient has one of these;
// it consumes them, too.
import { toDuration } from "./durations.js";
import { EventFilter } from "./gen/aulm/gateway/v1/event_service.js";
import {
  type ListParkedEventsResponse,
  type ListSubscriptionsResponse,
  Subscription,
  type SubscriptionMode,
  type SubscriptionServiceClient,
} from "./gen/aulm/gateway/v1/subscription_service.js";
import { type Start, startOf } from "./subscribe-options.js";
import type { Start as StartCall, UnaryOptions } from "./unary-call.js";

/** What a durable subscription is made of. What is left out is the gateway's to choose. */
export interface SubscriptionSpec {
  /** 1 to 100 characters of [a-z0-9._-], beginning with a letter or a digit. */
  name: string;
  /** CURSOR: one consumer at a time gets all in order. SHARED: consumers share the conversations. */
  mode: SubscriptionMode;
  filter?: Partial<EventFilter>;
  /** Default: "latest". */
  start?: Start;
  /** How long a consumer may take for a delivery. Mode SHARED. */
  ackDeadlineMs?: number;
  /** After this many deliveries an event is parked. Mode SHARED. */
  maxAttempts?: number;
  /** The wait before an event is delivered again. Mode SHARED. */
  retryDelayMs?: number;
  /** How long parked events are kept. Mode SHARED. */
  parkedRetentionMs?: number;
}

/** Makes a read with its deadline. */
export type Read = <Response>(call: StartCall<Response>, options: UnaryOptions) => Promise<Response>;

/** Each method fails with a GatewayError. */
export class Subscriptions {
  /** @internal */
  constructor(
    private readonly stub: SubscriptionServiceClient,
    private readonly read: Read,
  ) {}

  /** Makes a subscription; with an equal specification, answers with the one that exists. */
  async create(spec: SubscriptionSpec, options: UnaryOptions = {}): Promise<Subscription> {
    const { filter, start, ackDeadlineMs, retryDelayMs, parkedRetentionMs, ...rest } = spec;
    const subscription = Subscription.fromPartial({
      ...rest,
      filter: filter === undefined ? undefined : EventFilter.fromPartial(filter),
      start: start === undefined ? undefined : startOf(start),
      ackDeadline: toDuration(ackDeadlineMs),
      retryDelay: toDuration(retryDelayMs),
      parkedRetention: toDuration(parkedRetentionMs),
    });
    const made = await this.read<{ subscription: Subscription | undefined }>(
      (m, o, done) => this.stub.createSubscription({ subscription }, m, o, done),
      options,
    );
    return made.subscription!;
  }

  /** A subscription with its figures. */
  async get(name: string, options: UnaryOptions = {}): Promise<Subscription> {
    const got = await this.read<{ subscription: Subscription | undefined }>(
      (m, o, done) => this.stub.getSubscription({ name }, m, o, done),
      options,
    );
    return got.subscription!;
  }

  /** One page, in the order of their names; `nextPageToken` reads the next one. */
  list(page: { pageSize?: number; pageToken?: string } = {}, options: UnaryOptions = {}) {
    const request = { pageSize: page.pageSize ?? 0, pageToken: page.pageToken ?? "" };
    return this.read<ListSubscriptionsResponse>(
      (m, o, done) => this.stub.listSubscriptions(request, m, o, done),
      options,
    );
  }

  /** Deletes a subscription with its position and its parked events. */
  async delete(name: string, options: UnaryOptions = {}): Promise<void> {
    await this.read((m, o, done) => this.stub.deleteSubscription({ name }, m, o, done), options);
  }

  /** Moves a subscription to another place of the log. */
  async seek(name: string, to: Start, options: UnaryOptions = {}): Promise<Subscription> {
    const got = await this.read<{ subscription: Subscription | undefined }>(
      (m, o, done) => this.stub.seekSubscription({ name, target: startOf(to) }, m, o, done),
      options,
    );
    return got.subscription!;
  }

  /** One page of the parked events, the oldest parked first. */
  listParked(
    subscription: string,
    page: { pageSize?: number; pageToken?: string; includeRawBody?: boolean } = {},
    options: UnaryOptions = {},
  ) {
    const { pageSize = 0, pageToken = "", includeRawBody = false } = page;
    const request = { subscription, pageSize, pageToken, includeRawBody };
    return this.read<ListParkedEventsResponse>(
      (m, o, done) => this.stub.listParkedEvents(request, m, o, done),
      options,
    );
  }

  /** Puts parked events back to be delivered: those at `cursors`, or "all". Answers how many. */
  async replayParked(subscription: string, which: Uint8Array[] | "all", options: UnaryOptions = {}): Promise<number> {
    const request = { subscription, cursors: which === "all" ? [] : which, all: which === "all" };
    const { replayedEvents } = await this.read<{ replayedEvents: number }>(
      (m, o, done) => this.stub.replayParkedEvents(request, m, o, done),
      options,
    );
    return replayedEvents;
  }
}
