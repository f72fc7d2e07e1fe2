// Hands events to a handler: several at a time, in order within a conversation. Keeps the position before the oldest event
// that is not handled; in a durable subscription it acknowledges, or settles each delivery by itself.
import { inspect } from "node:util";
import { ConversationLanes } from "./conversation-lanes.js";
import type { Batch, EventFeed } from "./event-feed.js";
import type { Event } from "./gen/aulm/gateway/v1/event.js";
import { type Delivery, SettlementAction, SettlementEffect } from "./gen/aulm/gateway/v1/event_service.js";
import type { PositionKeeper } from "./position-keeper.js";
import type { Settler } from "./settler.js";

/**
 * What becomes of a delivery of mode SHARED: done with ("ack", also where the handler returns nothing), to come again
 * ("retry", after `delayMs` or the subscription's own delay), kept aside ("park"), or left alone ("skip").
 */
export type Verdict = "ack" | "retry" | "park" | "skip" | { retryAfterMs: number };

/** What a handler may want to know beside the event. */
export interface DeliveryInfo {
  /** Which try this is, from 1. In mode SHARED; else 1. */
  attempt: number;
  /** Aborted when the consumer is stopping: long handlers may want to come to an end. */
  signal: AbortSignal;
}

/**
 * Handles one event. Where it fails, a delivery of mode SHARED is retried; otherwise the consumer ends with that error,
 * and its position stands before the event.
 */
export type EventHandler = (event: Event, delivery: DeliveryInfo) => void | Verdict | Promise<void | Verdict>;

/** What a consumer works with. */
export interface ConsumerParts {
  feed: EventFeed;
  keeper: PositionKeeper;
  settler: Settler | undefined;
  lanes: ConversationLanes;
  /** Aborted when the consumer is to stop. */
  signal: AbortSignal;
  /** Makes `signal` aborted. */
  stop: () => void;
  /** How often a delivery of mode SHARED is extended while its handler waits or runs. */
  extendEveryMs: () => number;
  /** Told of a delivery of mode SHARED whose handler failed. */
  onHandlerFailed: (error: unknown, event: Event) => void;
}

// A delivery of mode SHARED that is not settled.
interface Outstanding {
  ackToken: Uint8Array;
  lost: boolean; // handed out again, to somebody else perhaps
}

interface Step {
  position: Uint8Array | undefined;
  done: boolean;
}

const ACTIONS = {
  ack: SettlementAction.ACK,
  retry: SettlementAction.RETRY,
  park: SettlementAction.PARK,
  skip: SettlementAction.SKIP,
};

// The handler's answer as a verdict: also of handlers that no compiler looked at.
function checked(answer: unknown): Verdict {
  if (answer === undefined) return "ack";
  if (typeof answer === "string" && answer in ACTIONS) return answer as Verdict;
  if (typeof answer === "object" && answer !== null && "retryAfterMs" in answer) {
    if (typeof answer.retryAfterMs === "number" && answer.retryAfterMs >= 0) return answer as Verdict;
  }
  throw new TypeError(
    `the handler returned ${inspect(answer)}: return nothing, "ack", "retry", { retryAfterMs: … }, "park" or "skip"`,
  );
}

/** The conversation that an event belongs to: account, session and peer; without a peer, the session. */
export function conversationOf({ account, sessionId, payload }: Event): string {
  let peer = "";
  if (payload?.$case === "inboundMessage") peer = payload.value.from;
  if (payload?.$case === "messageStatus") peer = payload.value.to;
  return JSON.stringify([account, sessionId, peer]);
}

/** One run of a handler over a subscription; see GatewayClient.consume. */
export class EventConsumer {
  readonly #outstanding = new Set<Outstanding>();
  #extending: NodeJS.Timeout | undefined;
  readonly #steps: Step[] = []; // in log order, from the oldest that is not done
  #failure: { error: unknown } | undefined;

  constructor(
    private readonly parts: ConsumerParts,
    private readonly handler: EventHandler,
  ) {}

  /** Runs until it is stopped, or something fails for good: then throws that. */
  async run(): Promise<void> {
    const { feed, keeper, lanes, settler, signal } = this.parts;
    const stopLanes = () => {
      lanes.stop();
    };
    signal.addEventListener("abort", stopLanes);
    try {
      feed.position = await keeper.load();
      for (let batch = await feed.next(); batch !== undefined; batch = await feed.next()) await this.#take(batch);
    } catch (error) {
      this.#fail(error);
    }
    lanes.stop();
    await lanes.idle();
    clearInterval(this.#extending);
    signal.removeEventListener("abort", stopLanes);
    await settler?.idle();
    await keeper.tryFlush();
    feed.close(); // now that everything is settled: the tokens of deliveries end with their stream
    this.#failure ??= keeper.failure;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #take({ deliveries, position }: Batch): Promise<void> {
    for (const delivery of deliveries) {
      await this.parts.lanes.room();
      if (delivery.ackToken.length > 0) this.#addShared(delivery);
      else this.#addInOrder(delivery.event!);
    }
    if (position === undefined) return;
    this.#steps.push({ position, done: true });
    this.#advance();
  }

  #addInOrder(event: Event): void {
    const step: Step = { position: event.cursor, done: false };
    this.#steps.push(step);
    this.parts.lanes.add(conversationOf(event), async () => {
      try {
        const verdict = checked(await this.handler(event, { attempt: 1, signal: this.parts.signal }));
        if (verdict !== "ack" && verdict !== "skip") {
          throw new TypeError(`${JSON.stringify(verdict)}: only a durable subscription of mode SHARED can do that`);
        }
        step.done = true;
        this.#advance();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  // Up to the oldest event that is not handled.
  #advance(): void {
    let position: Uint8Array | undefined;
    while (this.#steps[0]?.done) position = this.#steps.shift()?.position;
    if (position !== undefined) this.parts.keeper.advance(position);
  }

  #addShared({ event, ackToken, attempt }: Delivery): void {
    const { settler, lanes, signal } = this.parts;
    if (settler === undefined || event === undefined) return;
    const outstanding: Outstanding = { ackToken, lost: false };
    this.#outstanding.add(outstanding);
    const handle = async () => {
      try {
        if (outstanding.lost) return;
        const verdict = checked(await this.#judge(event, attempt));
        this.#outstanding.delete(outstanding); // from here on, nothing is to extend
        const action = typeof verdict === "object" ? SettlementAction.RETRY : ACTIONS[verdict];
        await settler.settle(ackToken, action, typeof verdict === "object" ? verdict.retryAfterMs : undefined);
      } catch (error) {
        if (!signal.aborted) this.#fail(error); // else: not settled in time, and so it comes again
      } finally {
        this.#outstanding.delete(outstanding);
      }
    };
    lanes.add(conversationOf(event), handle, () => {
      this.#outstanding.delete(outstanding);
      // Handed back at once, rather than when its time is up.
      settler.settle(ackToken, SettlementAction.RETRY).catch(() => undefined);
    });
    this.#extending ??= setInterval(() => {
      this.#extend(settler);
    }, this.parts.extendEveryMs());
  }

  #extend(settler: Settler): void {
    for (const outstanding of this.#outstanding) {
      settler.settle(outstanding.ackToken, SettlementAction.EXTEND).then(
        (effect) => {
          outstanding.lost ||= effect === SettlementEffect.STALE;
        },
        () => undefined, // the settlement itself will tell
      );
    }
  }

  async #judge(event: Event, attempt: number): Promise<void | Verdict> {
    try {
      return await this.handler(event, { attempt, signal: this.parts.signal });
    } catch (error) {
      this.parts.onHandlerFailed(error, event);
      return "retry";
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.parts.stop();
  }
}
