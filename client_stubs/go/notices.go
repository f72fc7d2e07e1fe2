package gateway

import (
	"time"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// Notices are what a subscriber tells besides events. All are optional; each must be quick, and is called on goroutines of
// the subscriber, one at a time except for NotSaved and HandlerFailed.
type Notices struct {
	// Started: connected, at the start and after each interruption.
	Started func(*gatewayv1.Started)
	// Heartbeat tells whether the subscriber has caught up and how far behind it is.
	Heartbeat func(*gatewayv1.Heartbeat)
	// Gap: events that can no longer be had; it goes on behind them.
	Gap func(*gatewayv1.Gap)
	// Interrupted: the stream ended (a Drain has reason "DRAINING", silence has none), and is tried again after wait.
	Interrupted func(err *CallError, wait time.Duration)
	// NotSaved: the gateway could not take an acknowledgement; it is tried again. (A cursor store that fails ends it all.)
	NotSaved func(error)
	// HandlerFailed: a handler of Consume failed, and the delivery is tried again. Nil: it is logged with slog.
	HandlerFailed func(error, *gatewayv1.Delivery)
}

func (n *Notices) note(frame *gatewayv1.SubscribeEventsResponse) {
	switch f := frame.GetFrame().(type) {
	case *gatewayv1.SubscribeEventsResponse_Started:
		if n.Started != nil {
			n.Started(f.Started)
		}
	case *gatewayv1.SubscribeEventsResponse_Heartbeat:
		if n.Heartbeat != nil {
			n.Heartbeat(f.Heartbeat)
		}
	case *gatewayv1.SubscribeEventsResponse_Gap:
		if n.Gap != nil {
			n.Gap(f.Gap)
		}
	}
}

func (n *Notices) notSaved(err error) {
	if n.NotSaved != nil {
		n.NotSaved(err)
	}
}
