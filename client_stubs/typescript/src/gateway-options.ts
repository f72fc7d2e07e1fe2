// How a client reaches the gateway: address, TLS, token and keepalive, and what grpc-js makes of them. GatewayClient uses
// it; whoever wants a channel of its own can, too.
import {
  type ChannelOptions,
  type ClientOptions,
  credentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
  status as Code,
} from "@grpc/grpc-js";
import type { ChannelCredentials, InterceptorOptions, NextCall } from "@grpc/grpc-js";

/** What a TLS connection to the gateway needs. All PEM texts, not paths. */
export interface TlsOptions {
  /** The certificates that may have signed the gateway's. Default: those that Node.js trusts. */
  ca?: string | Uint8Array;
  /** This client's certificate chain, for mTLS. Together with `key`, or not at all. */
  certificate?: string | Uint8Array;
  /** The key of `certificate`. */
  key?: string | Uint8Array;
  /** The name that the gateway's certificate must have, where it is not the target's. */
  serverName?: string;
}

/** How to reach the gateway. */
export interface GatewayOptions {
  /**
   * Where the gateway listens, as gRPC names targets: "host:port", "dns:///host:port", "unix:path". A name with several
   * addresses (a headless service) spreads calls over them. Default: "127.0.0.1:50051".
   */
  target?: string;
  /** TLS; `true` trusts what Node.js trusts. Default: plaintext, for loopback or where a mesh does the encryption. */
  tls?: TlsOptions | true;
  /**
   * The caller's token, sent as `authorization: Bearer …`. A function is asked once a call, so that a token that changes
   * can be read anew; where it answers an empty string, none is sent. Where it fails, the call is not made: UNAUTHENTICATED.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * A connection is pinged after this much silence, and given up 10 s later. At least 20 000: a gateway takes more
   * frequent pings for an attack. Default: 30 000.
   */
  keepaliveMs?: number;
  /** The deadline of calls that give none. Default: 30 000 for sends, 10 000 for reads. */
  timeoutMs?: number;
  /** The waits before a send is tried again. Default: 200 doubled up to 5000, jittered. */
  sendBackoff?: BackoffOptions;
  /** Goes before grpc-js's own User-Agent: the application's name. */
  userAgent?: string;
}

/** The waits after failures in a row: from `leastMs`, doubled each time, up to `mostMs`; a half to the whole of it. */
export interface BackoffOptions {
  leastMs: number;
  mostMs: number;
}

/** The most that one message may hold, in either direction: the gateway's own limit. */
export const MAX_MESSAGE_BYTES = 8 << 20;

const LEAST_KEEPALIVE_MS = 20_000;

/**
 * The service config of the client's channel, as JSON: UNAVAILABLE reads are tried again by the channel, up to three
 * times within their deadline; sends never, since only GatewayClient knows which of them may be. For channels of your
 * own.
 */
export const SERVICE_CONFIG_JSON = JSON.stringify({
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [
        { service: "aulm.gateway.v1.SessionService", method: "GetSessionStatus" },
        { service: "aulm.gateway.v1.EventService", method: "ReadEvents" },
        { service: "aulm.gateway.v1.MessagingService", method: "GetMessage" },
        { service: "aulm.gateway.v1.QuotaService", method: "GetQuota" },
        { service: "aulm.gateway.v1.SubscriptionService", method: "GetSubscription" },
        { service: "aulm.gateway.v1.SubscriptionService", method: "ListSubscriptions" },
        { service: "aulm.gateway.v1.SubscriptionService", method: "ListParkedEvents" },
      ],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.2s",
        maxBackoff: "2s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
});

/**
 * The credentials of a channel.
 *
 * @throws TypeError where a certificate comes without its key, or the other way round.
 */
export function channelCredentials({ tls }: GatewayOptions): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  if (tls === true) return credentials.createSsl();
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    throw new TypeError("tls: a client certificate and its key go together; only one is given");
  }
  return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.certificate));
}

/**
 * The options of a grpc-js client or channel.
 *
 * @throws TypeError or RangeError naming the option that is wrong.
 */
export function clientOptions(options: GatewayOptions): ClientOptions {
  const keepaliveMs = options.keepaliveMs ?? 30_000;
  if (!(keepaliveMs >= LEAST_KEEPALIVE_MS)) {
    throw new RangeError(`keepaliveMs is ${keepaliveMs}: the gateway allows no less than ${LEAST_KEEPALIVE_MS}`);
  }
  const serverName = typeof options.tls === "object" ? options.tls.serverName : undefined;
  const channel: ChannelOptions = {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": 10_000,
    // A lost gateway is looked for soon and often; gRPC's own backoff would grow to two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.service_config": SERVICE_CONFIG_JSON,
    // No DNS record may bring retries of sends back.
    "grpc.service_config_disable_resolution": 1,
    // The gateway is inside: a web proxy in the environment is not meant for it.
    "grpc.enable_http_proxy": 0,
    ...(options.userAgent ? { "grpc.primary_user_agent": options.userAgent } : {}),
    ...(serverName ? { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName } : {}),
  };
  return { ...channel, interceptors: options.token === undefined ? [] : [bearerToken(options.token)] };
}

function pem(text: string | Uint8Array | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text as Uint8Array);
}

const NO_TOKEN = "not printable ASCII without spaces (a line end, perhaps, of the file that it was read from)";

const isToken = (text: unknown): text is string => typeof text === "string" && /^[!-~]*$/.test(text);

// An interceptor rather than call credentials: grpc-js refuses those in plaintext, where a mesh may well do the
// encryption. A call without its token is not made.
function bearerToken(token: string | (() => string | Promise<string>)): Interceptor {
  if (typeof token === "string" && !isToken(token)) throw new TypeError(`token: ${NO_TOKEN}`);
  return (options: InterceptorOptions, nextCall: NextCall) => {
    const call = nextCall(options);
    return new InterceptingCall(call, {
      start(metadata: Metadata, listener, next) {
        const refuse = (details: string) => {
          call.cancelWithStatus(Code.UNAUTHENTICATED, details);
          listener.onReceiveStatus({ code: Code.UNAUTHENTICATED, details, metadata: new Metadata() });
        };
        Promise.resolve()
          .then(() => (typeof token === "function" ? token() : token))
          .then(
            (text) => {
              if (!isToken(text)) {
                refuse(`the call was not made: its token is ${NO_TOKEN}`);
                return;
              }
              if (text !== "") metadata.set("authorization", `Bearer ${text}`);
              next(metadata, listener);
            },
            (error: unknown) => {
              refuse(`the call was not made: its token cannot be had: ${String(error)}`);
            },
          );
      },
    });
  };
}
