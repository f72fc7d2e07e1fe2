// Settles deliveries of a durable subscription of mode SHARED, many in one call: whatever came while a call was under way
// makes the next one. EventConsumer uses it.
import { Backoff } from "./backoff.js";
import { toDuration } from "./durations.js";
import { GatewayError } from "./gateway-error.js";
import {
  type AcknowledgeEventsRequest,
  type AcknowledgeEventsResponse,
  type Settlement,
  SettlementAction,
  SettlementEffect,
} from "./gen/aulm/gateway/v1/event_service.js";
import { sleep } from "./sleep.js";

/** Calls AcknowledgeEvents once. */
export type Acknowledge = (request: AcknowledgeEventsRequest) => Promise<AcknowledgeEventsResponse>;

interface Waiting {
  settlement: Settlement;
  resolve: (effect: SettlementEffect) => void;
  reject: (error: unknown) => void;
}

const MOST_SETTLEMENTS = 1000;

/** Settles the deliveries of one subscription. */
export class Settler {
  #waiting: Waiting[] = [];
  #busy = false;
  #running: Promise<void> = Promise.resolve();

  /** Tries again what can be tried again until `giveUp` is aborted. */
  constructor(
    private readonly subscription: string,
    private readonly acknowledge: Acknowledge,
    private readonly giveUp: AbortSignal,
  ) {}

  /**
   * Settles one delivery, durably: STALE where it was settled before, or handed out again since.
   *
   * @throws GatewayError for what another try cannot mend.
   */
  settle(ackToken: Uint8Array, action: SettlementAction, delayMs?: number): Promise<SettlementEffect> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ settlement: { ackToken, action, delay: toDuration(delayMs) }, resolve, reject });
      if (!this.#busy) this.#running = this.#run();
    });
  }

  /** Waits until everything is settled, or given up. */
  async idle(): Promise<void> {
    while (this.#busy) await this.#running;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    await Promise.resolve(); // what is settled in the same breath goes together
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MOST_SETTLEMENTS);
      try {
        const results = await this.#settle(batch.map(({ settlement }) => settlement));
        batch.forEach(({ resolve }, i) => {
          resolve(results[i]?.result ?? SettlementEffect.UNSPECIFIED);
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#busy = false;
  }

  async #settle(settlements: Settlement[]): Promise<AcknowledgeEventsResponse["results"]> {
    const backoff = new Backoff({ leastMs: 50, mostMs: 2000 });
    for (;;) {
      try {
        const upToCursor = new Uint8Array();
        return (await this.acknowledge({ subscription: this.subscription, upToCursor, settlements })).results;
      } catch (error) {
        if (!(error instanceof GatewayError) || !error.mayPass || this.giveUp.aborted) throw error;
        await sleep(Math.max(backoff.next(), error.retryAfterMs ?? 0), this.giveUp);
      }
    }
  }
}
