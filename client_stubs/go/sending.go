package gateway

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	leastSendBackoff = 200 * time.Millisecond
	mostSendBackoff  = 5 * time.Second
	// The gateway's own word for a send that never left it although its request id was looked up before.
	lookedUp = "CONNECT_FAILED"
)

// send makes the tries of one send, until it succeeds or must not be repeated. Repeated is UNAVAILABLE where nothing was
// sent, or where nobody can know: the request id, the same each time, keeps the gateway from sending twice. The error is the
// last one, with the outcome of all tries together. No try is made without time for it.
func send[Request sendRequest, Response any](ctx context.Context, c *Client, request Request,
	attempt func(context.Context, Request, ...grpc.CallOption) (*Response, error)) (*Response, error) {
	ctx, cancel := withDeadline(ctx, c.sendTimeout)
	defer cancel()
	if refused := c.refusal(ctx, request); refused != nil {
		refused.RequestID = request.GetRequestId()
		return nil, refused
	}
	backoff := newBackoff(leastSendBackoff, mostSendBackoff)
	inDoubt := false
	for {
		response, err := attempt(ctx, request)
		if err == nil {
			return response, nil
		}
		failure := AsCallError(err)
		told := failedSendOutcome(failure)
		if failure.Domain == "aulm.io" || failure.Reason == lookedUp {
			inDoubt = false
		} else if !failure.FromGateway() && told == OutcomeUnknown {
			inDoubt = true
		}
		wait := spread(failure.RetryAfter)
		if wait == 0 {
			wait = backoff.wait()
		}
		again := failure.Code == codes.Unavailable && (!failure.FromGateway() || told == OutcomeNotSent)
		if !again || !pause(ctx, wait) || ctx.Err() != nil || c.isClosed() {
			failure.Outcome = told
			if inDoubt {
				failure.Outcome = OutcomeUnknown
			}
			if failure.RequestID == "" {
				failure.RequestID = request.GetRequestId()
			}
			return nil, failure
		}
	}
}

// sendRequest is what both kinds of sends have.
type sendRequest interface {
	proto.Message
	GetRequestId() string
}

// refusal is why a send is not even tried, and so was certainly not sent; nil where it may be tried.
func (c *Client) refusal(ctx context.Context, request proto.Message) *CallError {
	refused := &CallError{Outcome: OutcomeNotSent}
	encoded, err := proto.Marshal(request)
	switch {
	case c.isClosed():
		refused.Code, refused.Message = codes.Canceled, "the client is closed"
	case ctx.Err() != nil:
		refused.Code = status.FromContextError(ctx.Err()).Code()
		refused.Message = fmt.Sprintf("the send was not tried: %v", ctx.Err())
	case err != nil:
		refused.Code, refused.Message = codes.InvalidArgument, fmt.Sprintf("the request cannot be encoded: %v", err)
	case len(encoded) > MaxMessageBytes:
		refused.Code = codes.InvalidArgument
		refused.Message = fmt.Sprintf("the request has %d bytes, the gateway takes %d: an image may have 5 MiB",
			len(encoded), MaxMessageBytes)
	default:
		return nil
	}
	return refused
}

// pause waits, unless the context ends before the wait would: then it returns false, at once where a deadline tells.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
