// A gateway that a test scripts: listens on a free loopback port, answers each call as the test said, and keeps what it was
// asked.
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type StatusObject,
  status as Code,
} from "@grpc/grpc-js";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { GatewayClient, type GatewayOptions } from "@aulm/gateway-client";
import {
  type AcknowledgeEventsRequest,
  AcknowledgeEventsResponse,
  EventServiceService,
  GetSessionStatusResponse,
  GetSubscriptionResponse,
  MessagingServiceService,
  SendTextResponse,
  type SendTextRequest,
  SessionServiceService,
  type SubscribeEventsRequest,
  SubscribeEventsResponse,
  SubscriptionMode,
  SubscriptionServiceService,
} from "@aulm/gateway-client/v1";

type Frame = Parameters<typeof SubscribeEventsResponse.fromPartial>[0]["frame"];

/** One SubscribeEvents call, as its script sees it. */
export class Stream {
  readonly cancelled: Promise<void>;

  constructor(private readonly call: ServerWritableStream<SubscribeEventsRequest, SubscribeEventsResponse>) {
    this.cancelled = new Promise((resolve) => call.on("cancelled", () => { resolve(); })); // prettier-ignore
  }

  send(frame: Frame): void {
    this.call.write(SubscribeEventsResponse.fromPartial({ frame }));
  }

  started(head = "head"): void {
    this.send({ $case: "started", value: { headCursor: Buffer.from(head) } });
  }

  /** Events with these cursors, of the conversations "peer-" and the cursor's first letter. */
  events(...cursors: string[]): void {
    const deliveries = cursors.map((cursor) => ({ event: eventAt(cursor) }));
    this.send({ $case: "eventBatch", value: { deliveries, resumeCursor: Buffer.from(cursors.at(-1) ?? "") } });
  }

  /** Deliveries of mode SHARED, with the token "token-" and the cursor. */
  shared(...cursors: string[]): void {
    const deliveries = cursors.map((cursor) => {
      return { event: eventAt(cursor), ackToken: Buffer.from(`token-${cursor}`), attempt: 1 };
    });
    this.send({ $case: "eventBatch", value: { deliveries } });
  }

  fail(status: Partial<StatusObject>): void {
    this.call.emit("error", status);
  }
}

function eventAt(cursor: string) {
  const from = `peer-${cursor.charAt(0)}`;
  return {
    cursor: Buffer.from(cursor),
    payload: { $case: "inboundMessage" as const, value: { from, messageId: `m-${cursor}` } },
  };
}

/** An error with google.rpc.ErrorInfo, as the gateway makes them. */
export function gatewayStatus(
  code: Code,
  reason: string,
  metadata: Record<string, string> = {},
  domain = "aulm-gateway",
): Partial<StatusObject> {
  const info = new BinaryWriter().uint32(10).string(reason).uint32(18).string(domain);
  for (const [key, value] of Object.entries(metadata)) {
    info.uint32(26).fork().uint32(10).string(key).uint32(18).string(value).join();
  }
  return statusOf(code, [["google.rpc.ErrorInfo", info.finish()]]);
}

/** An error with any details. */
export function statusOf(code: Code, details: [string, Uint8Array][]): Partial<StatusObject> {
  const status = new BinaryWriter().uint32(8).int32(code).uint32(18).string("words");
  for (const [type, value] of details) {
    status.uint32(26).fork().uint32(10).string(`type.googleapis.com/${type}`).uint32(18).bytes(value).join();
  }
  const trailer = new Metadata();
  trailer.set("grpc-status-details-bin", Buffer.from(status.finish()));
  return { code, details: "words", metadata: trailer };
}

type Script = (stream: Stream, request: SubscribeEventsRequest) => void;

/** Answers of unary calls: a value, or a status to fail with. */
export type Answer<T> = T | Partial<StatusObject>;

/** The gateway. */
export class FakeGateway {
  readonly sends: SendTextRequest[] = [];
  readonly subscribed: SubscribeEventsRequest[] = [];
  readonly acknowledged: AcknowledgeEventsRequest[] = [];
  readonly metadata: Metadata[] = [];
  /** Taken one by one; the last one stays. */
  sendAnswers: Answer<object>[] = [{}];
  statusAnswers: Answer<object>[] = [{ session: {} }];
  scripts: Script[] = [];
  onSend: () => void = () => undefined;
  onAcknowledge: (request: AcknowledgeEventsRequest) => Answer<object> = ({ settlements }) => ({
    results: settlements.map(({ ackToken }) => ({ ackToken, result: 1 })),
  });
  ackDeadlineMs = 30_000;
  mode = SubscriptionMode.UNSPECIFIED;
  onGetSubscription: () => Partial<StatusObject> | undefined = () => undefined;
  client!: GatewayClient;
  readonly #server = new Server();
  #port = 0;

  static async start(
    options: GatewayOptions = {},
    credentials = ServerCredentials.createInsecure(),
  ): Promise<FakeGateway> {
    const gateway = new FakeGateway();
    gateway.#serve();
    gateway.#port = await new Promise<number>((resolve, reject) => {
      gateway.#server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
        if (error) reject(error);
        else resolve(port);
      });
    });
    gateway.client = new GatewayClient({
      target: `127.0.0.1:${gateway.#port}`,
      sendBackoff: { leastMs: 1, mostMs: 2 },
      ...options,
    });
    return gateway;
  }

  stop(): void {
    this.client.close();
    this.#server.forceShutdown();
  }

  #serve(): void {
    this.#server.addService(MessagingServiceService, {
      sendText: this.#unary<SendTextRequest>((request) => {
        this.sends.push(request);
        this.onSend();
        return next(this.sendAnswers);
      }, SendTextResponse),
    });
    this.#server.addService(SessionServiceService, {
      getSessionStatus: this.#unary(() => next(this.statusAnswers), GetSessionStatusResponse),
    });
    this.#server.addService(SubscriptionServiceService, {
      getSubscription: this.#unary(() => {
        const ackDeadline = {
          seconds: Math.floor(this.ackDeadlineMs / 1000),
          nanos: (this.ackDeadlineMs % 1000) * 1e6,
        };
        return this.onGetSubscription() ?? { subscription: { ackDeadline, mode: this.mode } };
      }, GetSubscriptionResponse),
    });
    this.#server.addService(EventServiceService, {
      acknowledgeEvents: this.#unary<AcknowledgeEventsRequest>((request) => {
        this.acknowledged.push(request);
        return this.onAcknowledge(request);
      }, AcknowledgeEventsResponse),
      subscribeEvents: (call: ServerWritableStream<SubscribeEventsRequest, SubscribeEventsResponse>) => {
        this.metadata.push(call.metadata);
        this.subscribed.push(call.request);
        next(this.scripts)(new Stream(call), call.request);
      },
    });
  }

  #unary<Request>(answer: (request: Request) => Answer<object>, type: { fromPartial: (from: never) => unknown }) {
    return (
      call: { request: Request; metadata: Metadata },
      done: (error: Partial<StatusObject> | null, response?: unknown) => void,
    ) => {
      this.metadata.push(call.metadata);
      const result = answer(call.request);
      if ("code" in result) done(result);
      else done(null, type.fromPartial(result as never));
    };
  }
}

function next<T>(list: T[]): T {
  return list.length > 1 ? list.shift()! : list[0]!;
}
