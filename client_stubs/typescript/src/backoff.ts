// How long to wait before each attempt after a failed one: doubling up to a bound, jittered so that a gateway's clients
// do not come back all at once. Sends and streams use it.
import type { BackoffOptions } from "./gateway-options.js";

/** The waits after failures in a row. */
export class Backoff {
  #nextMs: number;

  constructor(private readonly bounds: BackoffOptions) {
    if (!(bounds.leastMs > 0 && bounds.mostMs >= bounds.leastMs)) {
      throw new RangeError("backoff: leastMs must be positive, and mostMs no less than leastMs");
    }
    this.#nextMs = bounds.leastMs;
  }

  /** The next wait: between a half and the whole of a value that doubles each time. */
  next(): number {
    const whole = this.#nextMs;
    this.#nextMs = Math.min(whole * 2, this.bounds.mostMs);
    return whole * (0.5 + Math.random() / 2);
  }

  /** An attempt came through: start over. */
  reset(): void {
    this.#nextMs = this.bounds.leastMs;
  }
}

/** A wait that all clients of a gateway were told alike, and up to a fifth more. */
export function spread(waitMs: number): number {
  return waitMs * (1 + Math.random() / 5);
}
