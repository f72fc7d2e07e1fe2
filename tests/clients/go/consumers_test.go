package clients

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	gateway "github.com/aulm/aulm-gateway/client_stubs/go"
	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	leastBackoff = 20 * time.Millisecond
	mostBackoff  = 200 * time.Millisecond
)

var errHandlerFailed = errors.New("told to fail")

// eventName is how the table calls an event.
func eventName(event *gatewayv1.Event) string {
	switch payload := event.GetPayload().(type) {
	case *gatewayv1.Event_InboundMessage:
		return payload.InboundMessage.GetBody()
	case *gatewayv1.Event_MessageStatus:
		return payload.MessageStatus.GetAulmStatus()
	default:
		return event.GetEventName()
	}
}

// handled is a handler that has ended.
type handled struct {
	consumer, event, rawBody string
	attempt                  uint32
}

// running is a handler that has not.
type running struct{ consumer, event string }

// record is what all consumers of a case did, in the order of time.
type record struct {
	mu      sync.Mutex
	changed chan struct{} // closed and made anew with each change
	events  map[string]*gatewayv1.Event
	handled []handled
	running []running
}

func newRecord() *record {
	return &record{changed: make(chan struct{}), events: map[string]*gatewayv1.Event{}}
}

// change makes a change under the lock, and wakes whoever waits.
func (r *record) change(make_ func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	make_()
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait waits until look, called under the lock, returns true; false after the limit.
func (r *record) wait(limit time.Duration, look func() bool) bool {
	timeout := time.After(limit)
	for {
		r.mu.Lock()
		found, changed := look(), r.changed
		r.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-changed:
		case <-timeout:
			return false
		}
	}
}

// notice is one that a consumer got.
type notice struct {
	code, reason string
	caughtUp     bool
	lagEvents    uint64
}

// consumer is one subscribe step.
type consumer struct {
	step    subscribeStep
	record  *record
	hold    map[string]bool
	tries   map[string]int
	notices map[string][]notice
	stop    context.CancelFunc
	ended   bool
	err     error
}

func startConsumer(t *testing.T, client *gateway.Client, r *record, step subscribeStep,
	request *gatewayv1.SubscribeEventsRequest, folder string) *consumer {
	ctx, cancel := context.WithCancel(context.Background())
	c := &consumer{step: step, record: r, hold: map[string]bool{}, tries: map[string]int{}, notices: map[string][]notice{},
		stop: cancel}
	for _, name := range step.Hold {
		c.hold[name] = true
	}
	t.Cleanup(cancel)
	notices := gateway.Notices{
		Started: func(*gatewayv1.Started) { c.note("started", notice{}) },
		Heartbeat: func(h *gatewayv1.Heartbeat) {
			c.note("heartbeat", notice{caughtUp: h.GetCaughtUp(), lagEvents: h.GetLagEvents()})
		},
		Gap: func(*gatewayv1.Gap) { c.note("gap", notice{}) },
		Interrupted: func(err *gateway.CallError, _ time.Duration) {
			c.note("interrupted", notice{code: codeName(err.Code), reason: err.Reason})
		},
	}
	go func() {
		var err error
		if step.Mode == "SHARED" {
			err = client.Consume(ctx, step.Subscription, c.handleDelivery, &gateway.ConsumeOptions{
				Concurrency: step.Concurrency, MaxOutstandingEvents: step.MaxOutstandingEvents,
				HeartbeatInterval: request.GetHeartbeatInterval().AsDuration(), LeastBackoff: leastBackoff,
				MostBackoff: mostBackoff, Notices: notices})
		} else {
			options := &gateway.SubscribeOptions{SaveInterval: -1, Concurrency: step.Concurrency,
				LeastBackoff: leastBackoff, MostBackoff: mostBackoff, Notices: notices}
			if step.CursorStore != "" {
				options.CursorStore = gateway.FileCursorStore{Path: filepath.Join(folder, step.CursorStore)}
			}
			err = client.Subscribe(ctx, request, c.handle, options)
		}
		r.change(func() { c.ended, c.err = true, err })
	}()
	return c
}

func (c *consumer) release(names []string) {
	c.record.change(func() {
		for _, name := range names {
			delete(c.hold, name)
		}
	})
}

func (c *consumer) note(kind string, n notice) {
	c.record.change(func() { c.notices[kind] = append(c.notices[kind], n) })
}

func (c *consumer) handle(_ context.Context, event *gatewayv1.Event) error {
	name := eventName(event)
	fails := slices.Contains(c.step.Fail, name)
	c.holdOn(event)
	c.record.change(func() {
		c.ends(name)
		if !fails {
			c.record.handled = append(c.record.handled, handled{c.step.As, name, string(event.GetRawBody()), 0})
		}
	})
	if fails {
		return errHandlerFailed
	}
	return nil
}

func (c *consumer) handleDelivery(_ context.Context, delivery *gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
	name, answer := eventName(delivery.GetEvent()), "ACK"
	c.holdOn(delivery.GetEvent())
	c.record.change(func() {
		if answers := c.step.Settle[name]; c.tries[name] < len(answers) {
			answer = answers[c.tries[name]]
		}
		c.tries[name]++
		c.ends(name)
		c.record.handled = append(c.record.handled, handled{c.step.As, name, "", delivery.GetAttempt()})
	})
	if answer == "FAIL" {
		return nil, errHandlerFailed
	}
	action := gatewayv1.SettlementAction(gatewayv1.SettlementAction_value["SETTLEMENT_ACTION_"+answer])
	return &gatewayv1.Settlement{Action: action}, nil
}

// ends takes a handler from those that run. Under the lock.
func (c *consumer) ends(name string) {
	at := slices.Index(c.record.running, running{c.step.As, name})
	c.record.running = slices.Delete(c.record.running, at, at+1)
}

func (c *consumer) holdOn(event *gatewayv1.Event) {
	name := eventName(event)
	c.record.change(func() {
		c.record.events[name] = event
		c.record.running = append(c.record.running, running{c.step.As, name})
	})
	c.record.wait(time.Hour, func() bool { return !c.hold[name] })
}
