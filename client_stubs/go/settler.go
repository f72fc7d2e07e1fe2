package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	mostSettlements = 1000 // of one AcknowledgeEvents
	// How long a consumer that stops goes on trying to settle what its handlers have done.
	lastTries = 5 * time.Second
)

// settler sends settlements to the gateway: as many at once as wait, and again where the gateway was away. One that came too
// late is the gateway's to pass over. Safe for concurrent use.
type settler struct {
	ctx          context.Context
	client       *Client
	subscription string
	notices      *Notices
	wake         chan struct{} // something waits; holds one
	finishing    chan struct{}
	finished     chan struct{}

	mu      sync.Mutex
	waiting []*gatewayv1.Settlement
}

func newSettler(ctx context.Context, client *Client, subscription string, notices *Notices) *settler {
	s := &settler{ctx: ctx, client: client, subscription: subscription, notices: notices, wake: make(chan struct{}, 1),
		finishing: make(chan struct{}), finished: make(chan struct{})}
	go s.work()
	return s
}

// add does not block.
func (s *settler) add(settlement *gatewayv1.Settlement) {
	s.mu.Lock()
	s.waiting = append(s.waiting, settlement)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// finish settles what waits, with a bound on the time.
func (s *settler) finish() {
	close(s.finishing)
	<-s.finished
}

func (s *settler) take() []*gatewayv1.Settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := min(len(s.waiting), mostSettlements)
	batch := s.waiting[:count:count]
	s.waiting = s.waiting[count:]
	return batch
}

func (s *settler) work() {
	defer close(s.finished)
	backoff := newBackoff(100*time.Millisecond, 2*time.Second)
	for {
		for batch := s.take(); len(batch) > 0; batch = s.take() {
			if !s.settle(batch, backoff) {
				return
			}
		}
		select {
		case <-s.wake:
		case <-s.finishing:
			s.mu.Lock()
			done := len(s.waiting) == 0
			s.mu.Unlock()
			if done {
				return
			}
		}
	}
}

// settle tries until the gateway took the batch, or refused it; false when time is up.
func (s *settler) settle(batch []*gatewayv1.Settlement, backoff *backoff) bool {
	finishing, giveUp := s.finishing, (<-chan time.Time)(nil)
	for {
		err := s.client.acknowledge(s.ctx,
			&gatewayv1.AcknowledgeEventsRequest{Subscription: s.subscription, Settlements: batch})
		if err == nil {
			backoff.reset()
			return true
		}
		s.notices.notSaved(err)
		if !mayPass(AsCallError(err).Code) {
			return true
		}
		select {
		case <-giveUp:
			return false
		case <-finishing:
			finishing, giveUp = nil, time.After(lastTries)
		case <-time.After(backoff.wait()):
		}
	}
}
