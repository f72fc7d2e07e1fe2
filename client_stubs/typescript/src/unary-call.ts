// One unary call of a stub as a promise: with a deadline and an AbortSignal, and with a GatewayError for whatever fails.
import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError, status as Code } from "@grpc/grpc-js";
import { GatewayError } from "./gateway-error.js";

/** What a single call may be given. */
export interface UnaryOptions {
  /** The call fails with DEADLINE_EXCEEDED after this long, all its tries included. Default: the client's. */
  timeoutMs?: number;
  /** Cancels the call, which then fails with CANCELLED. A send that is cancelled may yet go out. */
  signal?: AbortSignal;
}

/** A method of a stub, with its request given. */
export type Start<Response> = (
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response?: Response) => void,
) => ClientUnaryCall;

/**
 * Makes the call once. `deadline` is of `performance.now()`.
 *
 * @throws GatewayError; of outcome "not_sent" where the call was not even made.
 */
export function unaryCall<Response>(start: Start<Response>, deadline: number, signal?: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const leftMs = deadline - performance.now();
    if (signal?.aborted) throw notMade(Code.CANCELLED, "the call was aborted before it was made");
    // Asked to, gRPC may call all the same.
    if (!(leftMs > 0)) throw notMade(Code.DEADLINE_EXCEEDED, "no time was left for the call: it was not made");
    const call = start(new Metadata(), { deadline: Date.now() + leftMs }, (error, response) => {
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(response as Response);
      else reject(GatewayError.from(error));
    });
    const cancel = () => {
      call.cancel();
    };
    signal?.addEventListener("abort", cancel);
  });
}

/** The error of a call that the client itself did not make: nothing was sent. */
export function notMade(code: Code, description: string): GatewayError {
  return new GatewayError({ code, description, outcome: "not_sent" });
}
