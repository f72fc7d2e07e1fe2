package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// MaxMessageBytes is the most that one message may hold, in either direction: the gateway's own limit.
const MaxMessageBytes = 8 << 20

// LeastKeepalive is the shortest keepalive: a server takes more frequent pings for an attack.
const LeastKeepalive = 20 * time.Second

// ServiceConfig has gRPC repeat reads that were UNAVAILABLE, within their deadline; sends never, since their outcome may be
// unknown. Public for programs that set up connections of their own.
const ServiceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [
      {"service": "aulm.gateway.v1.SessionService", "method": "GetSessionStatus"},
      {"service": "aulm.gateway.v1.EventService", "method": "ReadEvents"},
      {"service": "aulm.gateway.v1.MessagingService", "method": "GetMessage"},
      {"service": "aulm.gateway.v1.QuotaService", "method": "GetQuota"},
      {"service": "aulm.gateway.v1.SubscriptionService", "method": "GetSubscription"},
      {"service": "aulm.gateway.v1.SubscriptionService", "method": "ListSubscriptions"},
      {"service": "aulm.gateway.v1.SubscriptionService", "method": "ListParkedEvents"}
    ],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.2s",
      "maxBackoff": "2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// Options say how a client reaches the gateway. The zero value is a plaintext connection with the usual deadlines.
type Options struct {
	// TLS of the connection, with a client certificate for mTLS; nil: plaintext, for loopback or where a mesh does the
	// encryption.
	TLS *tls.Config
	// Token is asked once a call, on any goroutine, for the caller's token, which is sent as "authorization: Bearer …";
	// nil, or an empty token: none. Must be quick.
	Token func() string
	// SendTimeout is the deadline of sends whose context has none; 0: 30 s.
	SendTimeout time.Duration
	// ReadTimeout is the deadline of reads whose context has none; 0: 10 s.
	ReadTimeout time.Duration
	// Keepalive: a connection with calls is pinged after this much silence, and given up 10 s later. 0: 30 s; at least
	// LeastKeepalive.
	Keepalive time.Duration
	// UserAgent goes before gRPC's own: the application's name.
	UserAgent string
	// DialOptions are added last: tracing, a dialer of one's own.
	DialOptions []grpc.DialOption
}

// StaticToken is a token that never changes, for Options.Token.
func StaticToken(token string) func() string { return func() string { return token } }

// open makes the connection. It does not connect: the first call does.
func open(target string, options Options) (*grpc.ClientConn, error) {
	if target == "" {
		return nil, errors.New("gateway: the target is empty: give the gateway's host:port")
	}
	interval := options.Keepalive
	if interval == 0 {
		interval = 30 * time.Second
	}
	if interval < LeastKeepalive {
		return nil, fmt.Errorf("gateway: Keepalive is %v: the gateway allows no less than %v", interval, LeastKeepalive)
	}
	transport := insecure.NewCredentials()
	if options.TLS != nil {
		transport = credentials.NewTLS(options.TLS)
	}
	dialOptions := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(ServiceConfig),
		grpc.WithDisableServiceConfig(), // no DNS record may bring retries back
		grpc.WithNoProxy(),              // the gateway is inside: a web proxy in the environment is not meant for it
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: interval, Timeout: 10 * time.Second}),
		// A lost gateway is looked for soon and often; gRPC's own backoff would grow to two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if options.UserAgent != "" {
		dialOptions = append(dialOptions, grpc.WithUserAgent(options.UserAgent))
	}
	if options.Token != nil {
		dialOptions = append(dialOptions, grpc.WithChainUnaryInterceptor(unaryToken(options.Token)),
			grpc.WithChainStreamInterceptor(streamToken(options.Token)))
	}
	return grpc.NewClient(target, append(dialOptions, options.DialOptions...)...)
}

// withToken adds the token. An interceptor's work rather than call credentials', which gRPC refuses in plaintext.
func withToken(ctx context.Context, token func() string) (context.Context, error) {
	text := token()
	if text == "" {
		return ctx, nil
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, status.Error(codes.Unauthenticated, "the call was not made: its token is not printable ASCII without "+
			"spaces (a line end, perhaps, of the file that it was read from)")
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+text), nil
}

func unaryToken(token func() string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption) error {
		ctx, err := withToken(ctx, token)
		if err != nil {
			return err
		}
		return invoker(ctx, method, request, reply, conn, opts...)
	}
}

func streamToken(token func() string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer,
		opts ...grpc.CallOption) (grpc.ClientStream, error) {
		ctx, err := withToken(ctx, token)
		if err != nil {
			return nil, err
		}
		return streamer(ctx, desc, conn, method, opts...)
	}
}
