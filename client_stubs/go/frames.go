package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	usualHeartbeat   = 20 * time.Second
	silentHeartbeats = 3
)

// stream is one SubscribeEvents call. A goroutine reads a frame or two ahead and then no more, so that a slow taker holds
// the gateway back.
type stream struct {
	cancel context.CancelFunc
	frames chan *gatewayv1.SubscribeEventsResponse // closed at the end, after err is set
	err    error
}

func openStream(ctx context.Context, client gatewayv1.EventServiceClient, request *gatewayv1.SubscribeEventsRequest) *stream {
	// Outlives ctx until it is closed: what is in hand can be settled.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &stream{cancel: cancel, frames: make(chan *gatewayv1.SubscribeEventsResponse, 1)}
	go s.read(ctx, client, request)
	return s
}

func (s *stream) read(ctx context.Context, client gatewayv1.EventServiceClient, request *gatewayv1.SubscribeEventsRequest) {
	defer close(s.frames)
	call, err := client.SubscribeEvents(ctx, request)
	for err == nil {
		var frame *gatewayv1.SubscribeEventsResponse
		if frame, err = call.Recv(); err != nil {
			break
		}
		select {
		case s.frames <- frame:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.err = err
}

// frames are those of SubscribeEvents over broken connections, drains, silence and restarts of the gateway. For one
// goroutine.
type frames struct {
	client      gatewayv1.EventServiceClient
	closed      func() bool                              // the client
	request     func() *gatewayv1.SubscribeEventsRequest // for a new stream, from where things stand
	interrupted func()                                   // called before each wait
	notices     *Notices
	backoff     *backoff
	mostSilence time.Duration

	stream       *stream
	waitingSince time.Time // for a frame of the stream; zero while the caller is busy with one
	progressed   bool      // this stream sent more than Started and Drain
	drain        *gatewayv1.Drain
	notBefore    time.Time
}

// longestSilence is after how much time without a frame a stream of this request is dead.
func longestSilence(request *gatewayv1.SubscribeEventsRequest) time.Duration {
	if asked := request.GetHeartbeatInterval().AsDuration(); asked > 0 {
		return silentHeartbeats * asked
	}
	return silentHeartbeats * usualHeartbeat
}

// take returns the next frame; nil after patience at most, so that the caller can see to other things, and when ctx ends.
// The error is what trying again cannot mend.
func (f *frames) take(ctx context.Context, patience time.Duration) (*gatewayv1.SubscribeEventsResponse, *CallError) {
	if f.drain != nil {
		f.obeyDrain()
	}
	if f.stream == nil {
		if wait := time.Until(f.notBefore); wait > 0 {
			pause(ctx, min(wait, patience))
			return nil, nil
		}
		f.progressed, f.waitingSince = false, time.Time{}
		f.stream = openStream(ctx, f.client, f.request())
	}
	if f.waitingSince.IsZero() {
		f.waitingSince = time.Now()
	}
	timer := time.NewTimer(min(patience, f.mostSilence-time.Since(f.waitingSince)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, nil
	case frame, open := <-f.stream.frames:
		if !open {
			return nil, f.ended(ctx, f.stream.err)
		}
		f.waitingSince = time.Time{}
		f.accept(frame)
		return frame, nil
	case <-timer.C:
		if time.Since(f.waitingSince) >= f.mostSilence {
			f.leave(&CallError{Code: codes.Unavailable, Outcome: OutcomeNone,
				Message: fmt.Sprintf("the gateway was silent for %v", f.mostSilence)}, 0)
		}
		return nil, nil
	}
}

// close leaves the stream.
func (f *frames) close() {
	if f.stream != nil {
		f.stream.cancel()
		f.stream = nil
	}
}

func (f *frames) accept(frame *gatewayv1.SubscribeEventsResponse) {
	switch kind := frame.GetFrame().(type) {
	case *gatewayv1.SubscribeEventsResponse_Started:
	case *gatewayv1.SubscribeEventsResponse_Drain:
		f.drain = kind.Drain // obeyed with the next take: the caller is to see it first
	default:
		f.progressed = true
	}
	f.notices.note(frame)
}

func (f *frames) obeyDrain() {
	drain := f.drain
	f.drain = nil
	f.leave(&CallError{Code: codes.Unavailable, Reason: "DRAINING", Message: drain.GetReason(), Outcome: OutcomeNone},
		drain.GetReconnectAfter().AsDuration())
}

// ended decides about a stream that ended: an error where the same request cannot work.
func (f *frames) ended(ctx context.Context, err error) *CallError {
	if ctx.Err() != nil {
		return nil
	}
	failure := AsCallError(err)
	if errors.Is(err, io.EOF) {
		failure = &CallError{Code: codes.Unavailable, Message: "the stream ended", Outcome: OutcomeNone}
	}
	if f.closed() { // no later try can do better
		f.close()
		return failure
	}
	switch failure.Code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		f.close()
		return failure
	}
	f.leave(failure, failure.RetryAfter)
	return nil
}

// leave leaves the stream, and has the next one wait: as told, and longer with each stream that came to nothing.
func (f *frames) leave(failure *CallError, leastWait time.Duration) {
	f.close()
	if f.progressed {
		f.backoff.reset()
	}
	wait := spread(leastWait)
	if askedToComeBack := f.progressed && failure.Reason == "DRAINING"; !askedToComeBack {
		wait = max(wait, f.backoff.wait())
	}
	f.notBefore = time.Now().Add(wait)
	if f.notices.Interrupted != nil {
		f.notices.Interrupted(failure, wait)
	}
	f.interrupted()
}
