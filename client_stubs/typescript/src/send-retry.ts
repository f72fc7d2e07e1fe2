// Tries a send again where that is safe, always under the one request id: after errors that say that nothing was sent, and
// after a broken connection, since the gateway looks the id up. GatewayClient makes every send through it.
import { status as Code } from "@grpc/grpc-js";
import { Backoff, spread } from "./backoff.js";
import { GatewayError } from "./gateway-error.js";
import type { BackoffOptions } from "./gateway-options.js";
import { sleep } from "./sleep.js";

/** What bounds the tries of a send. */
export interface SendBounds {
  requestId: string;
  /** Of `performance.now()`. */
  deadline: number;
  backoff: BackoffOptions;
  signal?: AbortSignal | undefined;
}

// Less than this before the deadline, a try would only exchange the last error for a DEADLINE_EXCEEDED.
const LEAST_TRY_MS = 100;

/** Calls `attempt` until it succeeds, or fails for good; then throws the last error, with its outcome and request id. */
export async function sendWithRetries<Response>(
  attempt: () => Promise<Response>,
  { requestId, deadline, backoff: bounds, signal }: SendBounds,
): Promise<Response> {
  const backoff = new Backoff(bounds);
  let inDoubt = false; // an earlier try may have sent, and nothing since has shown otherwise
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      inDoubt = (inDoubt && !looksUpRequestId(error)) || (!error.hasDetails && outcomeOf(error) === "unknown");
      const wait = error.retryAfterMs === undefined ? backoff.next() : spread(error.retryAfterMs);
      if (!mayTryAgain(error) || signal?.aborted || performance.now() + wait + LEAST_TRY_MS > deadline) {
        const outcome = inDoubt ? "unknown" : outcomeOf(error);
        throw error.with({ outcome, requestId: error.requestId || requestId });
      }
      await sleep(wait, signal);
    }
  }
}

// True for an error before which the gateway looked the request id up, so that it speaks for the earlier tries too.
function looksUpRequestId(error: GatewayError): boolean {
  return error.domain === "aulm.io" || error.reason === "CONNECT_FAILED";
}

function mayTryAgain(error: GatewayError): boolean {
  return error.code === Code.UNAVAILABLE && (error.outcome === "not_sent" || !error.hasDetails);
}

// Without details nobody can know, but where the code shows that nobody took the call.
function outcomeOf(error: GatewayError): "not_sent" | "unknown" {
  if (error.outcome !== undefined) return error.outcome;
  const refused = [Code.UNIMPLEMENTED, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED].includes(error.code);
  return refused ? "not_sent" : "unknown";
}
