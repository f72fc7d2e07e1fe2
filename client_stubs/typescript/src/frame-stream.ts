// One SubscribeEvents call as a source of frames, which knows for how long the gateway has been silent. EventFeed opens
// one after the other.
import { type ClientReadableStream, status as Code, type ServiceError } from "@grpc/grpc-js";
import type { EventServiceClient, SubscribeEventsRequest } from "./gen/aulm/gateway/v1/event_service.js";
import type { SubscribeEventsResponse } from "./gen/aulm/gateway/v1/event_service.js";
import { GatewayError } from "./gateway-error.js";

/** One stream. Reads ahead by no more than grpc-js does: who does not ask for frames holds the gateway back. */
export class FrameStream {
  readonly #call: ClientReadableStream<SubscribeEventsResponse>;
  readonly #frames: AsyncIterator<SubscribeEventsResponse>;
  readonly #cancel = () => {
    this.#call.cancel();
  };
  #silent = false;

  /** `longestSilenceMs` is how long to wait for a frame. Aborting `signal` ends `next`, and with `leaveOnStop` the stream. */
  constructor(
    stub: EventServiceClient,
    request: SubscribeEventsRequest,
    private readonly longestSilenceMs: number,
    private readonly signal: AbortSignal,
    leaveOnStop: boolean,
  ) {
    this.#call = stub.subscribeEvents(request);
    this.#call.on("error", () => undefined); // the iterator's to tell; an error after its end is nobody's
    this.#frames = (this.#call as AsyncIterable<SubscribeEventsResponse>)[Symbol.asyncIterator]();
    if (!leaveOnStop) return;
    if (signal.aborted) this.#cancel();
    else signal.addEventListener("abort", this.#cancel);
  }

  /**
   * The next frame.
   *
   * @throws GatewayError when the stream has ended, however it did: UNAVAILABLE without details for silence.
   */
  async next(): Promise<SubscribeEventsResponse> {
    let waiting = true;
    const stopping = new AbortController(); // a listener on `signal` that goes with this wait
    const stopped = new Promise<never>((_, reject) => {
      const stop = () => {
        reject(new GatewayError({ code: Code.CANCELLED, description: "stopped" }));
      };
      if (this.signal.aborted) stop();
      else this.signal.addEventListener("abort", stop, { signal: stopping.signal });
    });
    const timer = setTimeout(() => {
      // A busy process looks at its timers before its sockets: the frames that have come are taken first.
      setImmediate(() => {
        if (!waiting) return;
        this.#silent = true;
        this.#cancel();
      });
    }, this.longestSilenceMs);
    try {
      const result = await Promise.race([this.#frames.next(), stopped]);
      if (result.done !== true) return result.value;
      throw new GatewayError({ code: Code.UNAVAILABLE, description: "the gateway ended the stream" });
    } catch (error) {
      if (this.#silent) {
        const description = `the gateway was silent for ${this.longestSilenceMs} ms`;
        throw new GatewayError({ code: Code.UNAVAILABLE, description });
      }
      throw error instanceof GatewayError ? error : GatewayError.from(error as ServiceError);
    } finally {
      waiting = false;
      stopping.abort();
      clearTimeout(timer);
    }
  }

  /** Ends the stream. */
  close(): void {
    this.signal.removeEventListener("abort", this.#cancel);
    this.#cancel();
    this.#call.destroy();
  }
}
