package gateway

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

func quick() *SubscribeOptions {
	return &SubscribeOptions{SaveInterval: -1, LeastBackoff: time.Millisecond, MostBackoff: 2 * time.Millisecond}
}

// cursors takes that many events.
func cursors(t *testing.T, client *Client, count int, request *gatewayv1.SubscribeEventsRequest, options *SubscribeOptions) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var seen []string
	err := client.Subscribe(ctx, request, func(_ context.Context, event *gatewayv1.Event) error {
		if seen = append(seen, string(event.GetCursor())); len(seen) == count {
			cancel()
		}
		return nil
	}, options)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestBrokenStreamResumesAfterItsLastFrame(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, broken(started("0"), batch("5", event("1", "a"), event("2", "a"))),
		streamOf(started("9"), batch("6", event("6", "a"))))

	seen := cursors(t, client, 3, nil, quick())

	if !slices.Equal(seen, []string{"1", "2", "6"}) || string(fake.requests()[1].GetAfterCursor()) != "5" {
		t.Errorf("saw %v, resumed after %q", seen, fake.requests()[1].GetAfterCursor())
	}
}

func TestLatestIsHeldOverAnInterruptionBeforeTheFirstEvent(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, broken(started("7")), streamOf(started("8"), batch("8", event("8", "a"))))

	cursors(t, client, 1, nil, quick())

	if after := string(fake.requests()[1].GetAfterCursor()); after != "7" {
		t.Errorf("resumed after %q", after)
	}
}

func TestDrainIsWaitedFor(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(batch("1", event("1", "a")), drain("3", 20*time.Millisecond)),
		streamOf(batch("4", event("4", "a"))))
	options := quick()
	var waits []time.Duration
	options.Notices.Interrupted = func(err *CallError, wait time.Duration) {
		if err.Reason == "DRAINING" && err.Message == "shutdown" {
			waits = append(waits, wait)
		}
	}

	cursors(t, client, 2, nil, options)

	if len(waits) != 1 || waits[0] < 20*time.Millisecond || waits[0] > 24*time.Millisecond {
		t.Errorf("waited %v", waits)
	}
	if after := string(fake.requests()[1].GetAfterCursor()); after != "3" {
		t.Errorf("resumed after %q", after)
	}
}

func TestWhatCannotBeMendedEnds(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, func(subscribeServer) error { return status.Error(codes.PermissionDenied, "no") })

	err := client.Subscribe(t.Context(), nil, func(context.Context, *gatewayv1.Event) error { return nil }, quick())

	var failed *CallError
	if !errors.As(err, &failed) || failed.Code != codes.PermissionDenied {
		t.Errorf("ended with %v", err)
	}
}

func TestDurablePositionIsAcknowledgedAndRepeatsAreLeftOut(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.acknowledging = func() error {
		if len(fake.subscriptions) < 2 {
			return status.Error(codes.Unavailable, "away")
		}
		return nil
	}
	fake.streams = append(fake.streams, broken(batch("2", event("1", "a"), event("2", "a"))),
		streamOf(batch("3", event("1", "a"), event("2", "a"), event("3", "a"))))

	seen := cursors(t, client, 3, &gatewayv1.SubscribeEventsRequest{Subscription: "orders"}, quick())

	if !slices.Equal(seen, []string{"1", "2", "3"}) {
		t.Errorf("saw %v", seen)
	}
	if last := fake.acknowledged[len(fake.acknowledged)-1]; last != "3" {
		t.Errorf("acknowledged up to %q", last)
	}
	if fake.requests()[1].GetStart() != nil {
		t.Errorf("a durable subscription was asked for with a start")
	}
}

func TestEventOfALoopThatIsLeftIsNotHandled(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(batch("2", event("1", "a"), event("2", "a"))))
	store := &MemoryCursorStore{}
	options := quick()
	options.CursorStore = store

	for event, err := range client.Events(t.Context(), nil, options) {
		if err != nil {
			t.Fatal(err)
		}
		if string(event.GetCursor()) == "2" {
			break
		}
	}

	if cursor, _ := store.Load(); string(cursor) != "1" {
		t.Errorf("the position is %q", cursor)
	}
}

func TestPositionStandsBeforeTheOldestThatIsNotHandled(t *testing.T) {
	p := newPosition(nil, 0, nil)
	first, second := p.add([]byte("1")), p.add([]byte("2"))
	p.moveTo("5")

	p.done(second)
	if p.handled != "" {
		t.Errorf("passed an event that is not handled, up to %q", p.handled)
	}
	p.done(first)
	if p.handled != "5" {
		t.Errorf("stands at %q", p.handled)
	}
}

func TestCursorFileThatHoldsNoCursorIsAnError(t *testing.T) {
	store := FileCursorStore{Path: filepath.Join(t.TempDir(), "position")}
	if cursor, err := store.Load(); cursor != nil || err != nil {
		t.Errorf("a missing file gives %q, %v", cursor, err)
	}
	if err := store.Save([]byte{}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(); err == nil {
		t.Error("an empty file is no error")
	}
	if err := store.Save([]byte{0, 0xff, 1}); err != nil {
		t.Fatal(err)
	}
	if cursor, err := store.Load(); string(cursor) != "\x00\xff\x01" || err != nil {
		t.Errorf("came back as %q, %v", cursor, err)
	}
}

func TestStoreThatCannotBeWrittenEnds(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(batch("1", event("1", "a")), batch("2", event("2", "a"))))
	for _, interval := range []time.Duration{-1, time.Hour} { // at the event, and at the end
		options := quick()
		options.SaveInterval = interval
		options.CursorStore = FileCursorStore{Path: filepath.Join(t.TempDir(), "none", "position")}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		last := func(event *gatewayv1.Event) {
			if string(event.GetCursor()) == "2" {
				cancel()
			}
		}

		err := client.Subscribe(ctx, nil, func(_ context.Context, event *gatewayv1.Event) error {
			last(event)
			return nil
		}, options)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Subscribe, %v: ended with %v", interval, err)
		}

		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err = nil
		for event, failed := range client.Events(ctx, nil, options) {
			if err = failed; err == nil {
				last(event)
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Events, %v: ended with %v", interval, err)
		}
	}
}

func TestTakeoverIsAskedForUntilItIsHad(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, broken(), streamOf(started("0"), drain("0", 0)), streamOf(batch("1", event("1", "a"))))

	cursors(t, client, 1, &gatewayv1.SubscribeEventsRequest{Subscription: "orders", TakeOver: true}, quick())

	var asked []bool
	for _, request := range fake.requests() {
		asked = append(asked, request.GetTakeOver())
	}
	if !slices.Equal(asked, []bool{true, true, false}) {
		t.Errorf("asked to take over: %v", asked)
	}
}

func TestSharedSubscriptionIsNoSubscribers(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.mode = gatewayv1.SubscriptionMode_SUBSCRIPTION_MODE_SHARED
	request := &gatewayv1.SubscribeEventsRequest{Subscription: "orders"}

	err := client.Subscribe(t.Context(), request, func(context.Context, *gatewayv1.Event) error { return nil }, quick())
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "use Consume") {
		t.Errorf("Subscribe ended with %v", err)
	}
	for _, err = range client.Events(t.Context(), request, quick()) {
		if AsCallError(err).Reason != "SUBSCRIPTION_MODE" {
			t.Errorf("Events ended with %v", err)
		}
	}
	if opened := len(fake.requests()); opened > 0 {
		t.Errorf("opened %d streams", opened)
	}
}

func TestModeIsAskedForAsLongAsTheGatewayIsAway(t *testing.T) {
	fake, client := startFakeGateway(t)
	told := make(chan codes.Code, 100)
	fake.finding = func() error {
		if len(told) == 0 {
			return status.Error(codes.Unavailable, "away")
		}
		return nil
	}
	fake.streams = append(fake.streams, streamOf(batch("1", event("1", "a"))))
	options := quick()
	options.Notices.Interrupted = func(err *CallError, _ time.Duration) { told <- err.Code }

	cursors(t, client, 1, &gatewayv1.SubscribeEventsRequest{Subscription: "orders"}, options)

	if code := <-told; code != codes.Unavailable {
		t.Errorf("told %v", code)
	}
}

func TestSubscriberNeedsNoRightToAskForTheMode(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.finding = func() error { return status.Error(codes.PermissionDenied, "no") }
	fake.streams = append(fake.streams, streamOf(batch("1", event("1", "a"))))

	cursors(t, client, 1, &gatewayv1.SubscribeEventsRequest{Subscription: "orders"}, quick())
}

func TestClosedClientEndsItsSubscribers(t *testing.T) {
	fake, client := startFakeGateway(t)
	fake.streams = append(fake.streams, streamOf(started("0"), batch("1", event("1", "a"))))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	err := client.Subscribe(ctx, nil, func(context.Context, *gatewayv1.Event) error { return client.Close() }, quick())

	if status.Code(err) != codes.Canceled {
		t.Errorf("ended with %v", err)
	}
}
