// One unary call of a stub as a promise: with a deadline and an AbortSignal, and with a GatewayError for whatever fails.
import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError } from "@grpc/grpc-js";
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

/** Makes the call once. `deadline` is in milliseconds since the epoch. */
export function unaryCall<Response>(start: Start<Response>, deadline: number, signal?: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = start(new Metadata(), { deadline }, (error, response) => {
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(response as Response);
      else reject(GatewayError.from(error));
    });
    const cancel = () => {
      call.cancel();
    };
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel);
  });
}
