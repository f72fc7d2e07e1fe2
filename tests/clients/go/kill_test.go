package clients

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	gateway "github.com/aulm/aulm-gateway/client_stubs/go"
	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// TestEveryEventOnceAndInOrderOverKills has 10,000 events while the gateway is killed 10 times.
func TestEveryEventOnceAndInOrderOverKills(t *testing.T) {
	const events, kills = 10_000, 10
	aulm := startSimulator(t, "--webhook-concurrency=8")
	process := startGateway(t, aulm)
	client := newClient(t, process, gateway.Options{})
	aulm.control(http.MethodPost, "blast", map[string]any{"count": events, "concurrency": 8, "retry": true,
		"retry_delay_ms": 20, "peers": 50, "rate_per_second": 4000}, nil)

	var seen []*gatewayv1.Event
	for event, err := range client.Events(t.Context(), fromEarliest(), &gateway.SubscribeOptions{
		CursorStore:  gateway.FileCursorStore{Path: filepath.Join(t.TempDir(), "position")},
		LeastBackoff: 20 * time.Millisecond,
		MostBackoff:  200 * time.Millisecond,
	}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, event)
		if every := events / (kills + 1); len(seen)%every == 0 && len(seen)/every <= kills {
			process.kill()
			process.start()
		}
		if len(seen) == events {
			break
		}
	}

	deliveries := map[string]bool{}
	read := 0
	request := &gatewayv1.ReadEventsRequest{PageSize: 1000,
		Start: &gatewayv1.ReadEventsRequest_Position{Position: gatewayv1.StartPosition_START_POSITION_EARLIEST}}
	for end := false; !end; {
		page, err := client.ReadEvents(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range page.GetEvents() {
			if read >= len(seen) || string(event.GetCursor()) != string(seen[read].GetCursor()) {
				t.Fatalf("event %d of the log is not the one that was seen", read)
			}
			read++
			deliveries[event.GetDeliveryId()] = true
		}
		end = page.GetEndOfLog()
		request.Start = &gatewayv1.ReadEventsRequest_AfterCursor{AfterCursor: page.GetNextCursor()}
	}
	if read != events || len(deliveries) != events {
		t.Errorf("the log has %d events of %d deliveries, want %d", read, len(deliveries), events)
	}
}

func fromEarliest() *gatewayv1.SubscribeEventsRequest {
	return &gatewayv1.SubscribeEventsRequest{
		Start: &gatewayv1.SubscribeEventsRequest_Position{Position: gatewayv1.StartPosition_START_POSITION_EARLIEST}}
}

func newClient(t *testing.T, process *gatewayProcess, options gateway.Options) *gateway.Client {
	t.Helper()
	client, err := gateway.NewClient(process.grpc, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
