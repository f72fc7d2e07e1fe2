// Follows events one at a time, as an async iterator: the loop's body is the handler. For handlers that run at the same
// time, and for durable subscriptions of mode SHARED, see EventConsumer.
import { status as Code } from "@grpc/grpc-js";
import type { EventFeed } from "./event-feed.js";
import type { Event } from "./gen/aulm/gateway/v1/event.js";
import type { Delivery } from "./gen/aulm/gateway/v1/event_service.js";
import { GatewayError } from "./gateway-error.js";
import type { PositionKeeper } from "./position-keeper.js";

/** The error of following a durable subscription of mode SHARED. */
export function sharedIsConsumed(): GatewayError {
  return new GatewayError({
    code: Code.FAILED_PRECONDITION,
    reason: "SUBSCRIPTION_MODE",
    description: "a durable subscription of mode SHARED has its deliveries settled: use consume()",
  });
}

/**
 * Each event once and in order, over broken connections and restarts of the gateway; made by
 * {@link GatewayClient.subscribe}. An event counts as handled when the next one is asked for. Leaving the loop
 * (`break`, `return`, an exception) does not handle the last event: call {@link commit} before, where it was.
 *
 * Ends when its signal is aborted; throws a GatewayError for what another try cannot mend, or the cursor store's error.
 */
export class EventFollower implements AsyncIterableIterator<Event> {
  #deliveries: Delivery[] = [];
  #next = 0;
  #afterBatch: Uint8Array | undefined; // where to go on after #deliveries
  #handedOut: Uint8Array | undefined; // after the event that was returned last; undefined when that is handled
  #loaded = false;
  #ended = false;
  #told = false; // of the store's failure
  #tail: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(
    private readonly feed: EventFeed,
    private readonly keeper: PositionKeeper,
    private readonly stop: () => void,
  ) {}

  /** Stands after the last handled event; undefined before anything is known. */
  get cursor(): Uint8Array | undefined {
    return this.keeper.position;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next event. */
  next(): Promise<IteratorResult<Event, undefined>> {
    const result = this.#tail.then(() => this.#take());
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Stops, and saves the position. */
  async return(): Promise<IteratorResult<Event, undefined>> {
    this.stop();
    await this.#tail;
    await this.#end();
    this.#throwFailure();
    return { done: true, value: undefined };
  }

  /** Says that the last event was handled, and saves the position now: for leaving the loop after an event. */
  async commit(): Promise<void> {
    this.#markHandled();
    await this.keeper.flush();
  }

  async #take(): Promise<IteratorResult<Event, undefined>> {
    this.#markHandled();
    while (!this.#ended) {
      if (this.keeper.failure !== undefined) {
        await this.#end();
        break;
      }
      const delivery = this.#deliveries[this.#next];
      if (delivery !== undefined) return { done: false, value: this.#handOut(delivery) };
      try {
        await this.#takeBatch();
      } catch (error) {
        await this.#end();
        throw error;
      }
    }
    this.#throwFailure();
    return { done: true, value: undefined };
  }

  async #takeBatch(): Promise<void> {
    if (!this.#loaded) {
      this.feed.position = await this.keeper.load();
      this.#loaded = true;
    }
    const batch = await this.feed.next();
    if (batch === undefined) {
      await this.#end();
      return;
    }
    this.#deliveries = batch.deliveries;
    this.#next = 0;
    this.#afterBatch = batch.position;
    if (batch.deliveries.length === 0 && batch.position !== undefined) this.keeper.advance(batch.position);
    if (batch.deliveries.some(({ ackToken }) => ackToken.length > 0)) {
      throw sharedIsConsumed();
    }
  }

  #handOut({ event }: Delivery): Event {
    this.#next++;
    const last = this.#next === this.#deliveries.length;
    this.#handedOut = last && this.#afterBatch !== undefined ? this.#afterBatch : event!.cursor;
    return event!;
  }

  #markHandled(): void {
    if (this.#handedOut !== undefined) this.keeper.advance(this.#handedOut);
    this.#handedOut = undefined;
  }

  async #end(): Promise<void> {
    this.#ended = true;
    this.#deliveries = [];
    this.feed.close();
    await this.keeper.tryFlush();
  }

  #throwFailure(): void {
    const failure = this.keeper.failure;
    if (failure === undefined || this.#told) return;
    this.#told = true;
    throw failure.error;
  }
}
