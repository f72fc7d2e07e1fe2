package gateway

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	usualSaveInterval = time.Second
	usualLeastBackoff = 200 * time.Millisecond
	usualMostBackoff  = 10 * time.Second
	patience          = time.Second // the longest that a look at the saving of the position is put off
	mostWaiting       = 1000        // events that came and wait for a handler
)

// SubscribeOptions say how to follow events. The zero value, or nil, keeps the position in memory alone.
type SubscribeOptions struct {
	// CursorStore keeps the position over restarts of this process. Not with a durable subscription, whose position the
	// gateway keeps.
	CursorStore CursorStore
	// SaveInterval: the position is saved at most this often, and at the end; a process that dies repeats the events
	// handled since. 0: 1 s. Negative: after each event.
	SaveInterval time.Duration
	// Concurrency is how many handlers Subscribe runs at the same time, in order within a conversation. 0: 1.
	Concurrency int
	// LeastBackoff and MostBackoff bound the wait between streams that came to nothing. 0: 200 ms and 10 s.
	LeastBackoff, MostBackoff time.Duration
	// Notices are told besides events.
	Notices Notices
}

// Subscribe calls the handler for each event, each once, over broken connections and restarts of the gateway.
//
// The request has the start, the filter, the heartbeat interval and the rest; nil asks for live events. Its start holds
// until there is a position, from the store or from the gateway. Set its Subscription to follow a durable one in mode CURSOR.
//
// Returns nil when ctx ends, after the handlers that run have returned; their context has its values but does not end with
// it. A handler's error ends it likewise, and is returned as it is: its event was not handled, and comes again with the same
// position. So does the cursor store's. A *CallError is what trying again cannot mend: a bad request, CURSOR_EXPIRED, not
// allowed, not found.
func (c *Client) Subscribe(ctx context.Context, request *gatewayv1.SubscribeEventsRequest,
	handler func(context.Context, *gatewayv1.Event) error, options *SubscribeOptions) error {
	s, err := c.newSubscriber(ctx, request, options)
	if err != nil {
		return err
	}
	defer s.frames.close()
	running, stop := context.WithCancel(ctx)
	defer stop()
	handlers := newConversations(s.options.Concurrency, mostWaiting)
	// Also while this goroutine waits for room among the handlers.
	context.AfterFunc(running, handlers.close)
	handling := context.WithoutCancel(ctx)
	for !handlers.isClosed() {
		received, failure := s.next(running)
		if failure != nil {
			err = failure
			break
		}
		if received == nil {
			break
		}
		handlers.submit(&task{key: conversationOf(received.event), handle: func() error {
			err := handler(handling, received.event)
			if err == nil {
				err = s.position.done(received.place)
			}
			if err != nil {
				stop() // wakes next
			}
			return err
		}})
	}
	handlers.close()
	// The first that went wrong is told.
	return cmp.Or(handlers.wait(), err, s.position.save())
}

// Events are what Subscribe hands to its handler, for a range loop:
//
//	for event, err := range client.Events(ctx, nil, nil) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An event counts as handled when the next one is asked for; one whose loop body is left by break or return does not, and
// comes again with the same position. Ends when ctx does; an error is the last. Concurrency is not looked at.
func (c *Client) Events(ctx context.Context, request *gatewayv1.SubscribeEventsRequest,
	options *SubscribeOptions) iter.Seq2[*gatewayv1.Event, error] {
	return func(yield func(*gatewayv1.Event, error) bool) {
		s, err := c.newSubscriber(ctx, request, options)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.frames.close()
		for {
			received, failure := s.next(ctx)
			if received == nil {
				// The first that went wrong is told.
				if failure = cmp.Or(failure, s.position.save()); failure != nil {
					yield(nil, failure)
				}
				return
			}
			if !yield(received.event, nil) {
				if err := s.position.save(); err != nil { // there is no loop any more that it could be returned to
					slog.ErrorContext(ctx, "aulm gateway: the position could not be saved", "error", err)
				}
				return
			}
			if failure = s.position.done(received.place); failure != nil {
				yield(nil, failure)
				return
			}
		}
	}
}

// subscriber follows events for one call of Subscribe or Events.
type subscriber struct {
	request  *gatewayv1.SubscribeEventsRequest
	options  SubscribeOptions
	frames   *frames
	position *position
	received string          // after everything that came: where a new stream starts
	waiting  []*received     // came in a frame, and not yet handed out
	repeats  map[string]bool // of a durable subscription: what this stream may send though we have it
}

// received is an event and its place on the way.
type received struct {
	place *place
	event *gatewayv1.Event
}

func (c *Client) newSubscriber(ctx context.Context, request *gatewayv1.SubscribeEventsRequest,
	given *SubscribeOptions) (*subscriber, error) {
	s := &subscriber{request: &gatewayv1.SubscribeEventsRequest{}}
	if request != nil {
		s.request = proto.Clone(request).(*gatewayv1.SubscribeEventsRequest)
	}
	if given != nil {
		s.options = *given
	}
	if s.options.SaveInterval == 0 {
		s.options.SaveInterval = usualSaveInterval
	}
	store := s.options.CursorStore
	if name := s.request.GetSubscription(); name != "" {
		if store != nil {
			return nil, errors.New("gateway: CursorStore: a durable subscription keeps its position in the gateway; give one of them")
		}
		store = &acknowledgedPosition{context.WithoutCancel(ctx), c, name}
	}
	s.position = newPosition(store, s.options.SaveInterval, s.options.Notices.notSaved)
	s.frames = &frames{
		client:      c.events,
		closed:      c.isClosed,
		request:     s.nextRequest,
		interrupted: func() { _ = s.position.save() }, // next returns what it fails with
		notices:     &s.options.Notices,
		backoff:     backoffOf(s.options.LeastBackoff, s.options.MostBackoff),
		mostSilence: longestSilence(s.request),
	}
	var err error
	if s.received, err = s.position.load(); err != nil || s.request.GetSubscription() == "" {
		return s, err
	}
	// Before any stream: a delivery of a subscription in mode SHARED counts as an attempt.
	found, err := c.subscription(ctx, s.request.GetSubscription(), s.frames.backoff, &s.options.Notices)
	switch {
	case err != nil && AsCallError(err).Code == codes.PermissionDenied:
		return s, nil // following needs no right to ask
	case err == nil && found.GetMode() == gatewayv1.SubscriptionMode_SUBSCRIPTION_MODE_SHARED:
		return s, s.shared()
	}
	return s, err
}

func (s *subscriber) shared() error {
	return wrongMode(s.request.GetSubscription(), "SHARED", "Consume")
}

func backoffOf(least, most time.Duration) *backoff {
	if least <= 0 {
		least = usualLeastBackoff
	}
	if most <= 0 {
		most = usualMostBackoff
	}
	return newBackoff(least, most)
}

// next returns the next event; nil when ctx ends.
func (s *subscriber) next(ctx context.Context) (*received, error) {
	for ctx.Err() == nil {
		if len(s.waiting) > 0 {
			first := s.waiting[0]
			s.waiting = s.waiting[1:]
			return first, nil
		}
		frame, failure := s.frames.take(ctx, patience)
		if failure != nil {
			return nil, failure
		}
		if err := s.position.saveIfDue(); err != nil {
			return nil, err
		}
		if frame != nil {
			if err := s.accept(frame); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

func (s *subscriber) nextRequest() *gatewayv1.SubscribeEventsRequest {
	request := proto.Clone(s.request).(*gatewayv1.SubscribeEventsRequest)
	if request.GetSubscription() != "" {
		s.repeats = s.position.notSavedYet()
	} else if s.received != "" {
		request.Start = &gatewayv1.SubscribeEventsRequest_AfterCursor{AfterCursor: []byte(s.received)}
	}
	return request
}

func (s *subscriber) accept(frame *gatewayv1.SubscribeEventsResponse) error {
	switch f := frame.GetFrame().(type) {
	case *gatewayv1.SubscribeEventsResponse_Started:
		// Done: the consumer that ends this one by a takeover is not to be ended in turn.
		s.request.TakeOver = false
		// Held on to, or an interruption before the first event would start at a newer "latest".
		if s.received == "" && startsAtLatest(s.request) {
			s.moveTo(f.Started.GetHeadCursor())
		}
	case *gatewayv1.SubscribeEventsResponse_EventBatch:
		for _, delivery := range f.EventBatch.GetDeliveries() {
			if len(delivery.GetAckToken()) > 0 {
				return s.shared()
			}
			if s.repeats[string(delivery.GetEvent().GetCursor())] {
				continue
			}
			s.repeats = nil // the log's order: none comes after an event that is new
			place := s.position.add(delivery.GetEvent().GetCursor())
			s.waiting = append(s.waiting, &received{place, delivery.GetEvent()})
		}
		s.moveTo(f.EventBatch.GetResumeCursor())
	case *gatewayv1.SubscribeEventsResponse_Heartbeat:
		s.moveTo(f.Heartbeat.GetResumeCursor())
	case *gatewayv1.SubscribeEventsResponse_Gap:
		s.moveTo(f.Gap.GetToCursor())
	case *gatewayv1.SubscribeEventsResponse_Drain:
		s.moveTo(f.Drain.GetResumeCursor())
	}
	return nil
}

func (s *subscriber) moveTo(cursor []byte) {
	if len(cursor) > 0 {
		s.received = string(cursor)
		s.position.moveTo(s.received)
	}
}

func startsAtLatest(request *gatewayv1.SubscribeEventsRequest) bool {
	if request.GetSubscription() != "" {
		return false
	}
	switch start := request.GetStart().(type) {
	case nil:
		return true
	case *gatewayv1.SubscribeEventsRequest_Position:
		return start.Position != gatewayv1.StartPosition_START_POSITION_EARLIEST
	default:
		return false
	}
}

// acknowledgedPosition is a cursor store that is the gateway's: of a durable subscription in mode CURSOR.
type acknowledgedPosition struct {
	ctx          context.Context
	client       *Client
	subscription string
}

func (a *acknowledgedPosition) Load() ([]byte, error) { return nil, nil } // the gateway starts where it stands

func (a *acknowledgedPosition) Save(cursor []byte) error {
	return a.client.acknowledge(a.ctx, &gatewayv1.AcknowledgeEventsRequest{Subscription: a.subscription, UpToCursor: cursor})
}
