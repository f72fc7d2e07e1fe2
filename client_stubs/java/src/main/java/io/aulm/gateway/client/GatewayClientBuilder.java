package io.aulm.gateway.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Sets a {@link GatewayClient} up. Not thread-safe. */
public final class GatewayClientBuilder {
  /** The most that one message may hold, in either direction: the gateway's own limit. */
  public static final int MAX_MESSAGE_BYTES = 8 << 20;

  private static final Duration LEAST_KEEPALIVE = Duration.ofSeconds(20);
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /**
   * The service config of the client's channel: UNAVAILABLE reads are tried again by the channel, up to three times
   * within their deadline; sends never, since only {@link GatewayClient} knows which of them may be. For channels of
   * your own.
   */
  public static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "loadBalancingConfig", List.of(Map.of("round_robin", Map.of())),
          "methodConfig",
              List.of(
                  Map.of(
                      "name",
                          List.of(
                              method("SessionService", "GetSessionStatus"),
                              method("EventService", "ReadEvents"),
                              method("MessagingService", "GetMessage"),
                              method("QuotaService", "GetQuota"),
                              method("SubscriptionService", "GetSubscription"),
                              method("SubscriptionService", "ListSubscriptions"),
                              method("SubscriptionService", "ListParkedEvents")),
                      "retryPolicy",
                          Map.of(
                              "maxAttempts", 4.0,
                              "initialBackoff", "0.2s",
                              "maxBackoff", "2s",
                              "backoffMultiplier", 2.0,
                              "retryableStatusCodes", List.of("UNAVAILABLE")))));

  private final String target;
  private ChannelCredentials credentials = InsecureChannelCredentials.create();
  private Supplier<String> token = () -> "";
  private Duration keepalive = Duration.ofSeconds(30);
  private String userAgent;
  private String authority;
  Duration sendTimeout = Duration.ofSeconds(30);
  Duration readTimeout = Duration.ofSeconds(10);
  Duration leastSendBackoff = Duration.ofMillis(200);
  Duration mostSendBackoff = Duration.ofSeconds(5);

  GatewayClientBuilder(String target) {
    this.target = target;
  }

  private static Map<String, String> method(String service, String method) {
    return Map.of("service", "aulm.gateway.v1." + service, "method", method);
  }

  /**
   * TLS: {@code TlsChannelCredentials.create()} trusts what Java trusts; its builder takes a CA and a client
   * certificate.
   */
  public GatewayClientBuilder credentials(ChannelCredentials tls) {
    credentials = tls;
    return this;
  }

  /** The name that the gateway's certificate must have, where it is not the target's. */
  public GatewayClientBuilder serverName(String name) {
    authority = name;
    return this;
  }

  /**
   * The caller's token, sent as {@code authorization: Bearer …}. Asked once a call; must be quick. "" sends none. Where
   * the source fails, the call is not made: UNAUTHENTICATED.
   */
  public GatewayClientBuilder token(Supplier<String> source) {
    token = source;
    return this;
  }

  /** A connection is pinged after this much silence, and given up 10 s later. At least 20 s; 30 s unless given. */
  public GatewayClientBuilder keepalive(Duration silence) {
    if (silence.compareTo(LEAST_KEEPALIVE) < 0) {
      throw new IllegalArgumentException("keepalive is " + silence + ": the gateway allows no less than 20 s");
    }
    keepalive = silence;
    return this;
  }

  /** The deadline of calls that give none: 30 s for sends and 10 s for reads unless given. */
  public GatewayClientBuilder timeout(Duration timeout) {
    sendTimeout = readTimeout = timeout;
    return this;
  }

  /** The waits before a send is tried again: 200 ms doubled up to 5 s unless given. */
  public GatewayClientBuilder sendBackoff(Duration least, Duration most) {
    leastSendBackoff = least;
    mostSendBackoff = most;
    return this;
  }

  /** Goes before grpc-java's own User-Agent: the application's name. */
  public GatewayClientBuilder userAgent(String name) {
    userAgent = name;
    return this;
  }

  /** The client. */
  public GatewayClient build() {
    ManagedChannelBuilder<?> channel =
        Grpc.newChannelBuilder(target, credentials)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .keepAliveTime(keepalive.toNanos(), TimeUnit.NANOSECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .defaultServiceConfig(SERVICE_CONFIG)
            .disableServiceConfigLookUp() // no DNS record may bring retries of sends back
            .proxyDetector(address -> null) // the gateway is inside: a web proxy is not meant for it
            .intercept(new BearerToken(token));
    if (userAgent != null) {
      channel.userAgent(userAgent);
    }
    if (authority != null) {
      channel.overrideAuthority(authority);
    }
    return new GatewayClient(channel.build(), this);
  }

  // An interceptor rather than call credentials: those are refused in plaintext, where a mesh may well encrypt.
  private record BearerToken(Supplier<String> token) implements ClientInterceptor {
    @Override
    public <A, B> ClientCall<A, B> interceptCall(MethodDescriptor<A, B> method, CallOptions options, Channel next) {
      return new ClientInterceptors.CheckedForwardingClientCall<>(next.newCall(method, options)) {
        @Override
        protected void checkedStart(Listener<B> listener, Metadata headers) {
          String text = ask();
          if (!text.isEmpty()) {
            headers.put(AUTHORIZATION, "Bearer " + text);
          }
          delegate().start(listener, headers);
        }
      };
    }

    // A call without its token is not made.
    private String ask() {
      String text;
      try {
        text = token.get();
      } catch (RuntimeException e) {
        throw Status.UNAUTHENTICATED
            .withDescription("the call was not made: its token cannot be had: " + e.getMessage())
            .withCause(e)
            .asRuntimeException();
      }
      if (text == null || text.chars().anyMatch(character -> character <= ' ' || character > '~')) {
        throw Status.UNAUTHENTICATED
            .withDescription(
                "the call was not made: its token is not printable ASCII without spaces"
                    + " (a line end, perhaps, of the file that it was read from)")
            .asRuntimeException();
      }
      return text;
    }
  }
}
