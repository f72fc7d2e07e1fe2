package gateway

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	leastSendBackoff = 200 * time.Millisecond
	mostSendBackoff  = 5 * time.Second
	// The gateway's own word for a send that never left it although its request id was looked up before.
	lookedUp = "CONNECT_FAILED"
)

// send makes the tries of one send, until it succeeds or must not be repeated. Repeated is UNAVAILABLE where nothing was
// sent, or where nobody can know: the request id, the same each time, keeps the gateway from sending twice. The error is the
// last one, with the outcome of all tries together.
func send[Response any](ctx context.Context, timeout time.Duration, requestID string,
	attempt func(context.Context) (*Response, error)) (*Response, error) {
	ctx, cancel := withDeadline(ctx, timeout)
	defer cancel()
	backoff := newBackoff(leastSendBackoff, mostSendBackoff)
	inDoubt := false
	for {
		response, err := attempt(ctx)
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
		if !again || !pause(ctx, wait) {
			failure.Outcome = told
			if inDoubt {
				failure.Outcome = OutcomeUnknown
			}
			if failure.RequestID == "" {
				failure.RequestID = requestID
			}
			return nil, failure
		}
	}
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
