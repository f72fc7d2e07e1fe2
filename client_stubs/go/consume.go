package gateway

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	usualLongestHandling = time.Hour
	usualAckDeadline     = 30 * time.Second
	mostOutstanding      = 10_000 // the contract allows no more
)

// ConsumeOptions say how to take part in a durable subscription in mode SHARED. The zero value, or nil, is usable.
type ConsumeOptions struct {
	// ConsumerID names this consumer for the eyes of operators; made by the gateway where empty.
	ConsumerID string
	// Concurrency is how many handlers run at the same time. 0: 1.
	Concurrency int
	// MaxOutstandingEvents are in hand at once, at most 10000. 0: 100.
	MaxOutstandingEvents uint32
	// HeartbeatInterval asked of the gateway. 0: 20 s.
	HeartbeatInterval time.Duration
	// IncludeRawBody has each event bring the body of its webhook.
	IncludeRawBody bool
	// LongestHandling is until when a delivery is kept from the other consumers while its handler runs. 0: 1 h.
	LongestHandling time.Duration
	// LeastBackoff and MostBackoff bound the wait between streams that came to nothing. 0: 200 ms and 10 s.
	LeastBackoff, MostBackoff time.Duration
	// Notices are told besides deliveries.
	Notices Notices
}

// Consume is one of the consumers of a durable subscription in mode SHARED, which SubscriptionService.CreateSubscription makes.
//
// The handler says what becomes of a delivery: nil for ACK, or a Settlement with action and delay, whose token is filled in.
// A handler that fails has its delivery tried again (RETRY), which Notices.HandlerFailed is told, or else slog. Deliveries in
// hand are extended until their handler returns. Returns nil when ctx ends, after the handlers that run have returned and what
// they did was settled; a *CallError for what trying again cannot mend, such as a subscription in mode CURSOR; another error for
// a Settlement that settles nothing.
func (c *Client) Consume(ctx context.Context, subscription string,
	handler func(context.Context, *gatewayv1.Delivery) (*gatewayv1.Settlement, error), options *ConsumeOptions) error {
	var given ConsumeOptions
	if options != nil {
		given = *options
	}
	if given.LongestHandling == 0 {
		given.LongestHandling = usualLongestHandling
	}
	waits := backoffOf(given.LeastBackoff, given.MostBackoff)
	found, err := c.subscription(ctx, subscription, waits, &given.Notices)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if found.GetMode() == gatewayv1.SubscriptionMode_SUBSCRIPTION_MODE_CURSOR {
		return wrongMode(subscription, "CURSOR", "Subscribe or Events with a request that names it")
	}
	ackDeadline := usualAckDeadline
	if deadline := found.GetAckDeadline().AsDuration(); deadline > 0 {
		ackDeadline = deadline
	}
	k := &consumer{
		handler: handler,
		longest: given.LongestHandling,
		notices: &given.Notices,
		settler: newSettler(context.WithoutCancel(ctx), c, subscription, &given.Notices),
		inHand:  map[string]time.Time{},
	}
	request := &gatewayv1.SubscribeEventsRequest{
		Subscription:         subscription,
		ConsumerId:           given.ConsumerID,
		MaxOutstandingEvents: given.MaxOutstandingEvents,
		IncludeRawBody:       given.IncludeRawBody,
	}
	if given.HeartbeatInterval > 0 {
		request.HeartbeatInterval = durationpb.New(given.HeartbeatInterval)
	}
	source := &frames{
		client:      c.events,
		closed:      c.isClosed,
		request:     func() *gatewayv1.SubscribeEventsRequest { return request },
		interrupted: func() {},
		notices:     &given.Notices,
		backoff:     waits,
		mostSilence: longestSilence(request),
	}
	defer source.close()
	return k.run(ctx, source, given.Concurrency, ackDeadline)
}

// subscription asks the gateway for it, for as long as it is away; nil when ctx ends.
func (c *Client) subscription(ctx context.Context, name string, waits *backoff, notices *Notices) (*gatewayv1.Subscription, error) {
	for ctx.Err() == nil {
		response, err := read(ctx, c.readTimeout, c.subscriptions.GetSubscription, &gatewayv1.GetSubscriptionRequest{Name: name})
		if err == nil {
			return response.GetSubscription(), nil
		}
		if ctx.Err() != nil {
			break
		}
		failure := AsCallError(err)
		if !mayPass(failure.Code) {
			return nil, failure
		}
		wait := waits.wait()
		if notices.Interrupted != nil {
			notices.Interrupted(failure, wait)
		}
		pause(ctx, wait)
	}
	return nil, nil
}

// mayPass is true for what the same call may well not meet again.
func mayPass(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted
}

// consumer is one call of Consume.
type consumer struct {
	handler func(context.Context, *gatewayv1.Delivery) (*gatewayv1.Settlement, error)
	longest time.Duration
	notices *Notices
	settler *settler

	mu     sync.Mutex
	inHand map[string]time.Time // tokens that are not settled, and when they came
}

func (k *consumer) run(ctx context.Context, source *frames, concurrency int, ackDeadline time.Duration) error {
	handlers := newConversations(concurrency, mostOutstanding)
	handling := context.WithoutCancel(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(ctx, handlers.close)
	settled := make(chan struct{})
	go k.extend(ackDeadline, settled)
	var failure error
	for ctx.Err() == nil {
		frame, err := source.take(ctx, patience)
		if err != nil {
			failure = err
			break
		}
		for _, delivery := range frame.GetEventBatch().GetDeliveries() {
			k.mu.Lock()
			k.inHand[string(delivery.GetAckToken())] = time.Now()
			k.mu.Unlock()
			handBack := func() { // at once, rather than when its time is up
				k.settle(delivery, &gatewayv1.Settlement{Action: gatewayv1.SettlementAction_SETTLEMENT_ACTION_RETRY})
			}
			submitted := handlers.submit(&task{
				key: conversationOf(delivery.GetEvent()),
				handle: func() error {
					err := k.handle(handling, delivery)
					if err != nil {
						stop() // wakes take
					}
					return err
				},
				dropped: handBack,
			})
			if !submitted {
				handBack()
			}
		}
	}
	handlers.close()
	wrong := handlers.wait()
	k.settler.finish()
	close(settled)
	return cmp.Or(wrong, failure)
}

// handle fails where the handler's answer settles nothing.
func (k *consumer) handle(ctx context.Context, delivery *gatewayv1.Delivery) error {
	settlement, err := k.handler(ctx, delivery)
	switch {
	case err != nil && k.notices.HandlerFailed != nil:
		k.notices.HandlerFailed(err, delivery)
		settlement = &gatewayv1.Settlement{Action: gatewayv1.SettlementAction_SETTLEMENT_ACTION_RETRY}
	case err != nil:
		slog.ErrorContext(ctx, "aulm gateway: the handler of an event failed; it is delivered again", "error", err,
			"attempt", delivery.GetAttempt())
		settlement = &gatewayv1.Settlement{Action: gatewayv1.SettlementAction_SETTLEMENT_ACTION_RETRY}
	case settlement == nil:
		settlement = &gatewayv1.Settlement{Action: gatewayv1.SettlementAction_SETTLEMENT_ACTION_ACK}
	}
	switch settlement.GetAction() {
	case gatewayv1.SettlementAction_SETTLEMENT_ACTION_ACK, gatewayv1.SettlementAction_SETTLEMENT_ACTION_RETRY,
		gatewayv1.SettlementAction_SETTLEMENT_ACTION_PARK, gatewayv1.SettlementAction_SETTLEMENT_ACTION_SKIP:
		k.settle(delivery, settlement)
		return nil
	default:
		return fmt.Errorf("gateway: the handler returned a Settlement of %v: its action is ACK, RETRY, PARK or SKIP",
			settlement.GetAction())
	}
}

func (k *consumer) settle(delivery *gatewayv1.Delivery, settlement *gatewayv1.Settlement) {
	k.mu.Lock()
	delete(k.inHand, string(delivery.GetAckToken()))
	k.mu.Unlock()
	filled := proto.Clone(settlement).(*gatewayv1.Settlement)
	filled.AckToken = delivery.GetAckToken()
	k.settler.add(filled)
}

// extend extends what is in hand, three times a deadline, until everything is settled.
func (k *consumer) extend(ackDeadline time.Duration, settled <-chan struct{}) {
	ticker := time.NewTicker(ackDeadline / 3)
	defer ticker.Stop()
	for {
		select {
		case <-settled:
			return
		case <-ticker.C:
		}
		k.mu.Lock()
		for token, since := range k.inHand {
			if time.Since(since) < k.longest {
				k.settler.add(&gatewayv1.Settlement{
					AckToken: []byte(token), Action: gatewayv1.SettlementAction_SETTLEMENT_ACTION_EXTEND})
			}
		}
		k.mu.Unlock()
	}
}
