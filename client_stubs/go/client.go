package gateway

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	usualSendTimeout = 30 * time.Second
	usualReadTimeout = 10 * time.Second
)

// Client is a connection to a gateway. Safe for concurrent use; share one by process. Every method that fails returns a
// *CallError. Stubs of one's own, for calls that have no method here, are made on Conn; AsCallError decodes what they return.
type Client struct {
	conn                     *grpc.ClientConn
	messaging                gatewayv1.MessagingServiceClient
	sessions                 gatewayv1.SessionServiceClient
	events                   gatewayv1.EventServiceClient
	quotas                   gatewayv1.QuotaServiceClient
	subscriptions            gatewayv1.SubscriptionServiceClient
	sendTimeout, readTimeout time.Duration
}

// NewClient makes a client of the gateway at target, as gRPC names targets: "host:port", "dns:///host:port", "unix:path". It
// does not connect: the first call does. The error names the option that is wrong. Close it in the end.
func NewClient(target string, options Options) (*Client, error) {
	conn, err := open(target, options)
	if err != nil {
		return nil, err
	}
	client := &Client{
		messaging:     gatewayv1.NewMessagingServiceClient(conn),
		sessions:      gatewayv1.NewSessionServiceClient(conn),
		events:        gatewayv1.NewEventServiceClient(conn),
		quotas:        gatewayv1.NewQuotaServiceClient(conn),
		subscriptions: gatewayv1.NewSubscriptionServiceClient(conn),
		conn:          conn,
		sendTimeout:   usualSendTimeout,
		readTimeout:   usualReadTimeout,
	}
	if options.SendTimeout > 0 {
		client.sendTimeout = options.SendTimeout
	}
	if options.ReadTimeout > 0 {
		client.readTimeout = options.ReadTimeout
	}
	return client, nil
}

// Conn is the connection, set up with keepalive, token and service config: for generated stubs of one's own.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Close ends every call of this client.
func (c *Client) Close() error { return c.conn.Close() }

func (c *Client) isClosed() bool { return c.conn.GetState() == connectivity.Shutdown }

// SendText sends a text from a WhatsApp session to a phone number.
//
// Give every message a RequestId of your own, stored with it: repeating a call with the same id never sends twice. One is
// made where it is empty, and told in the answer and in the error; the request itself is not changed. What was not sent
// because something was unavailable is tried again until the context's deadline, or Options.SendTimeout; what has an
// unknown outcome is not.
func (c *Client) SendText(ctx context.Context, request *gatewayv1.SendTextRequest) (*gatewayv1.SendTextResponse, error) {
	if request.GetRequestId() == "" {
		request = proto.Clone(request).(*gatewayv1.SendTextRequest)
		request.RequestId = uuid.NewString()
	}
	return send(ctx, c, request, c.messaging.SendText)
}

// SendImage sends an image, by its bytes (at most 5 MiB) or by a public https URL. The rest is as in SendText.
func (c *Client) SendImage(ctx context.Context, request *gatewayv1.SendImageRequest) (*gatewayv1.SendImageResponse, error) {
	if request.GetRequestId() == "" {
		request = proto.Clone(request).(*gatewayv1.SendImageRequest)
		request.RequestId = uuid.NewString()
	}
	return send(ctx, c, request, c.messaging.SendImage)
}

// GetMessage tells what became of a send, by its request id, or by its session and message id.
func (c *Client) GetMessage(ctx context.Context, request *gatewayv1.GetMessageRequest) (*gatewayv1.GetMessageResponse, error) {
	return read(ctx, c.readTimeout, c.messaging.GetMessage, request)
}

// SessionStatus asks aulm for a session's state.
func (c *Client) SessionStatus(ctx context.Context, sessionID string) (*gatewayv1.Session, error) {
	response, err := read(ctx, c.readTimeout, c.sessions.GetSessionStatus,
		&gatewayv1.GetSessionStatusRequest{SessionId: sessionID})
	return response.GetSession(), err
}

// Quota is the last that aulm told with an answer to a send; of the account "default" where none is named.
func (c *Client) Quota(ctx context.Context, account string) (*gatewayv1.GetQuotaResponse, error) {
	return read(ctx, c.readTimeout, c.quotas.GetQuota, &gatewayv1.GetQuotaRequest{Account: account})
}

// ReadEvents reads one bounded page of the log.
func (c *Client) ReadEvents(ctx context.Context, request *gatewayv1.ReadEventsRequest) (*gatewayv1.ReadEventsResponse, error) {
	return read(ctx, c.readTimeout, c.events.ReadEvents, request)
}

func (c *Client) acknowledge(ctx context.Context, request *gatewayv1.AcknowledgeEventsRequest) error {
	_, err := read(ctx, c.readTimeout, c.events.AcknowledgeEvents, request)
	return err
}

// read makes one call with a deadline. (gRPC itself repeats it: see ServiceConfig.)
func read[Request, Response any](ctx context.Context, timeout time.Duration,
	call func(context.Context, *Request, ...grpc.CallOption) (*Response, error), request *Request) (*Response, error) {
	ctx, cancel := withDeadline(ctx, timeout)
	defer cancel()
	if err := ctx.Err(); err != nil { // gRPC may call all the same
		return nil, AsCallError(status.FromContextError(err).Err())
	}
	response, err := call(ctx, request)
	if err != nil {
		return nil, AsCallError(err)
	}
	return response, nil
}

// withDeadline gives the context a deadline where it has none.
func withDeadline(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}
