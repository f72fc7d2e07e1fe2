// One consumer of a conformance case: runs GatewayClient.consume with a handler that holds, fails and settles as the case
// says, and keeps what happened.
import {
  type ConsumeOptions,
  type DeliveryInfo,
  type Event,
  type GatewayClient,
  type GatewayError,
  type Verdict,
} from "@aulm/gateway-client";

/** An event that was handled, or is being handled. */
export interface Handled {
  name: string;
  event: Event;
  attempt: number;
}

/** A notice of the client. */
export interface Notice {
  kind: "started" | "heartbeat" | "gap" | "interrupted";
  facts: Record<string, unknown>;
}

/** What the handler shall do. */
export interface Behaviour {
  hold: string[];
  fail: string[];
  settle: Record<string, string[]>;
}

/** Thrown by a handler that shall fail. */
export class HandlerFailed extends Error {}

/** The name of an event in the table. */
export function nameOf({ payload, eventName }: Event): string {
  if (payload?.$case === "inboundMessage") return payload.value.body;
  if (payload?.$case === "messageStatus") return payload.value.aulmStatus;
  return eventName;
}

let clock = 0;

/** A consumer that runs. */
export class Subscriber {
  readonly handling: (Handled & { at: number })[] = [];
  readonly handled: (Handled & { at: number })[] = [];
  readonly notices: Notice[] = [];
  readonly end: Promise<unknown>; // undefined, or the error
  ended: { error: unknown } | undefined;
  readonly #stop = new AbortController();
  readonly #held: Set<string>;
  readonly #releases = new Map<string, () => void>();

  constructor(
    client: GatewayClient,
    options: ConsumeOptions,
    private readonly behaviour: Behaviour,
  ) {
    this.#held = new Set(behaviour.hold);
    const notice = (kind: Notice["kind"]) => (facts: object) => {
      this.notices.push({ kind, facts: facts as Record<string, unknown> });
    };
    const told: ConsumeOptions = {
      ...options,
      signal: this.#stop.signal,
      cursorSaveIntervalMs: 0,
      backoff: { leastMs: 20, mostMs: 200 },
      onStarted: notice("started"),
      onHeartbeat: notice("heartbeat"),
      onGap: notice("gap"),
      onInterrupted: (error: GatewayError) => {
        this.notices.push({
          kind: "interrupted",
          facts: { code: error.codeName, reason: error.reason },
        });
      },
    };
    this.end = client
      .consume(told, (event, delivery) => this.#handle(event, delivery))
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .then((error) => {
        this.ended = { error };
        return error;
      });
  }

  stop(): void {
    this.#stop.abort();
  }

  release(name: string): void {
    this.#held.delete(name);
    this.#releases.get(name)?.();
  }

  async #handle(event: Event, { attempt }: DeliveryInfo): Promise<Verdict> {
    const name = nameOf(event);
    const handled = { name, event, attempt, at: clock++ };
    this.handling.push(handled);
    if (this.#held.has(name)) await new Promise<void>((resolve) => this.#releases.set(name, resolve));
    this.handling.splice(this.handling.indexOf(handled), 1);
    if (this.behaviour.fail.includes(name)) throw new HandlerFailed(name);
    this.handled.push({ ...handled, at: clock++ });
    const verdict = this.behaviour.settle[name]?.shift() ?? "ACK";
    if (verdict === "FAIL") throw new HandlerFailed(name);
    return verdict.toLowerCase() as Verdict;
  }
}
