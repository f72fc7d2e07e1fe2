package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const (
	ack    = gatewayv1.SettlementAction_SETTLEMENT_ACTION_ACK
	retry  = gatewayv1.SettlementAction_SETTLEMENT_ACTION_RETRY
	park   = gatewayv1.SettlementAction_SETTLEMENT_ACTION_PARK
	extend = gatewayv1.SettlementAction_SETTLEMENT_ACTION_EXTEND
)

// consume consumes until it is stopped; the result is there then.
func consume(t *testing.T, client *Client, handler func(*gatewayv1.Delivery) (*gatewayv1.Settlement, error)) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- client.Consume(ctx, "orders", func(_ context.Context, d *gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
			return handler(d)
		}, &ConsumeOptions{LeastBackoff: time.Millisecond, MostBackoff: 2 * time.Millisecond})
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

// settledAs waits for the settlement of a delivery.
func settledAs(t *testing.T, fake *fakeGateway, token string, action gatewayv1.SettlementAction) {
	t.Helper()
	for timeout := time.After(20 * time.Second); ; {
		select {
		case settlement := <-fake.settled:
			if string(settlement.GetAckToken()) == token && settlement.GetAction() == action {
				return
			}
		case <-timeout:
			t.Fatalf("%s was not settled as %v", token, action)
		}
	}
}

func TestHandlersAnswerSettles(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(shared("1", "a"), shared("2", "b"), shared("3", "c")))

	stop := consume(t, client, func(d *gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
		switch string(d.GetAckToken()) {
		case "1":
			return nil, nil
		case "2":
			return &gatewayv1.Settlement{Action: park}, nil
		default:
			return nil, errors.New("failed")
		}
	})

	settledAs(t, fake, "1", ack)
	settledAs(t, fake, "2", park)
	settledAs(t, fake, "3", retry)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestLongHandlingIsExtended(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(shared("1", "a")))
	release := make(chan struct{})

	stop := consume(t, client, func(*gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
		<-release
		return nil, nil
	})

	settledAs(t, fake, "1", extend)
	settledAs(t, fake, "1", extend)
	close(release)
	settledAs(t, fake, "1", ack)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestSettlementIsRepeatedWhileTheGatewayIsAway(t *testing.T) {
	fake, client := startFakeGateway(t)
	tries := 0
	fake.acknowledging = func() error {
		if tries++; tries < 3 {
			return status.Error(codes.Unavailable, "away")
		}
		return nil
	}
	fake.streams = append(fake.streams, streamOf(shared("1", "a")))

	stop := consume(t, client, func(*gatewayv1.Delivery) (*gatewayv1.Settlement, error) { return nil, nil })

	settledAs(t, fake, "1", ack)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestStoppingHandsBackWhatNoHandlerSaw(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(shared("1", "a"), shared("2", "a")))
	handling, release := make(chan struct{}), make(chan struct{})
	stop := consume(t, client, func(*gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
		close(handling)
		<-release
		return nil, nil
	})
	<-handling
	settledAs(t, fake, "2", extend) // it has come, and waits for the first

	ended := make(chan error)
	go func() { ended <- stop() }()
	settledAs(t, fake, "2", retry)
	close(release)
	settledAs(t, fake, "1", ack)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestCursorSubscriptionIsNoConsumers(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.mode = gatewayv1.SubscriptionMode_SUBSCRIPTION_MODE_CURSOR

	err := client.Consume(t.Context(), "orders", nil, nil)

	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "use Subscribe") {
		t.Errorf("ended with %v", err)
	}
	if len(fake.requests()) > 0 {
		t.Error("a stream was opened")
	}
}

func TestSettlementThatSettlesNothingEnds(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(shared("1", "a")))

	err := client.Consume(t.Context(), "orders", func(context.Context, *gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
		return &gatewayv1.Settlement{Action: extend}, nil
	}, nil)

	if err == nil || !strings.Contains(err.Error(), "ACK, RETRY, PARK or SKIP") {
		t.Errorf("ended with %v", err)
	}
}

func TestFailedHandlerIsTold(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(shared("1", "a")))
	ctx, cancel := context.WithCancel(t.Context())
	failed := errors.New("failed")
	var told error

	err := client.Consume(ctx, "orders", func(context.Context, *gatewayv1.Delivery) (*gatewayv1.Settlement, error) {
		return nil, failed
	}, &ConsumeOptions{Notices: Notices{HandlerFailed: func(err error, _ *gatewayv1.Delivery) {
		told = err
		cancel()
	}}})

	if err != nil || told != failed {
		t.Errorf("ended with %v, told %v", err, told)
	}
	settledAs(t, fake, "1", retry)
}
