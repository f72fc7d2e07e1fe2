package clients

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	gateway "github.com/aulm/aulm-gateway/client_stubs/go"
	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

const stopLimit = 5 * time.Second

// TestConformance takes the client through the clients' table: see tests/clients/conformance.
func TestConformance(t *testing.T) {
	table, err := readTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range table.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if reason, excluded := table.Excluded[c.Name]; excluded {
				t.Skip(reason)
			}
			r := newRun(t, table, c)
			for number, s := range c.Steps {
				r.number = number + 1
				r.take(s)
			}
		})
	}
}

// answer is how a call ended, in the words of the table: {"ok": …} or {"error": …}.
type answer map[string]any

// run is one case under way.
type run struct {
	t             *testing.T
	table         *table
	number        int
	folder        string
	aulm          *simulator
	process       *gatewayProcess
	client        *gateway.Client
	subscriptions gatewayv1.SubscriptionServiceClient
	record        *record
	consumers     map[string]*consumer
	sends         map[string]chan answer // each holds its answer
}

func newRun(t *testing.T, table *table, c tableCase) *run {
	r := &run{t: t, table: table, folder: t.TempDir(), record: newRecord(), consumers: map[string]*consumer{},
		sends: map[string]chan answer{}}
	r.aulm = startSimulator(t, c.Simulator...)
	r.process = startGateway(t, r.aulm)
	timeout := time.Duration(c.Client.TimeoutMS) * time.Millisecond
	r.client = newClient(t, r.process, gateway.Options{SendTimeout: timeout, ReadTimeout: timeout})
	r.subscriptions = gatewayv1.NewSubscriptionServiceClient(r.client.Conn())
	t.Cleanup(r.stopAll)
	return r
}

func (r *run) stopAll() {
	for _, c := range r.consumers {
		c.stop()
		r.record.change(func() { clear(c.hold) })
	}
	for name, c := range r.consumers {
		if !r.record.wait(stopLimit, func() bool { return c.ended }) {
			r.t.Errorf("consumer %s did not stop", name)
		}
	}
}

func (r *run) fatalf(format string, arguments ...any) {
	r.t.Helper()
	r.t.Fatalf("step %d: "+format, append([]any{r.number}, arguments...)...)
}

func (r *run) take(s step) {
	switch {
	case s.Gateway != "":
		r.takeGateway(s.Gateway)
	case s.Simulator != nil:
		r.takeSimulator(s.Simulator)
	case s.Webhook != nil:
		r.aulm.deliver(s.Webhook.Path, s.Webhook.Body)
	case s.Inbound != nil:
		for _, body := range s.Inbound.Bodies {
			r.aulm.deliver("events/inbound", map[string]any{"from": s.Inbound.From, "body": body})
		}
	case s.Requests != nil:
		r.checkRequests(s.Requests)
	case s.SendText != nil, s.SendImage != nil:
		r.takeSend(s)
	case s.Await != "":
		r.check(r.answerOf(s.Await), s.Expect)
	case s.SessionStatus != nil:
		r.check(r.sessionStatus(s.SessionStatus), s.Expect)
	case s.CreateSubscription != nil:
		r.createSubscription(s.CreateSubscription)
	case s.SubscriptionStats != nil:
		r.awaitStats(s.SubscriptionStats)
	case s.Parked != nil:
		r.awaitParked(s.Parked)
	case s.ReplayParked != nil:
		_, err := r.subscriptions.ReplayParkedEvents(r.t.Context(),
			&gatewayv1.ReplayParkedEventsRequest{Subscription: s.ReplayParked.Subscription, All: true})
		if err != nil {
			r.fatalf("%v", err)
		}
	default:
		r.takeConsumerStep(s)
	}
}

func (r *run) takeConsumerStep(s step) {
	switch {
	case s.Subscribe != nil:
		r.consumers[s.Subscribe.As] = startConsumer(r.t, r.client, r.record, *s.Subscribe, r.request(s.Subscribe), r.folder)
	case s.Handling != nil:
		r.awaitHandling(s.Handling)
	case s.Handled != nil:
		r.awaitHandled(s.Handled)
	case s.Release != nil:
		for _, name := range s.Release.By {
			r.consumers[name].release(s.Release.Events)
		}
	case s.Notice != nil:
		r.awaitNotice(s.Notice)
	case s.Stopping != "":
		r.consumers[s.Stopping].stop()
	case s.Stop != "":
		c := r.consumers[s.Stop]
		c.stop()
		if !r.record.wait(stopLimit, func() bool { return c.ended }) {
			r.fatalf("%s did not stop", s.Stop)
		}
		if c.err != nil {
			r.fatalf("%s ended with %v", s.Stop, c.err)
		}
	case s.Ended != nil:
		r.awaitEnd(s.Ended)
	case s.CopyStore != nil:
		data, err := os.ReadFile(filepath.Join(r.folder, s.CopyStore.From))
		if err == nil {
			err = os.WriteFile(filepath.Join(r.folder, s.CopyStore.To), data, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			r.fatalf("%v", err)
		}
	default:
		r.fatalf("no such step")
	}
}

// --- the programs ---

func (r *run) takeGateway(what string) {
	switch what {
	case "start":
		r.process.start()
	case "start_empty":
		r.process.startEmpty()
	case "kill":
		r.process.kill()
	case "terminate":
		r.process.terminate()
	case "pause":
		r.process.signal(syscall.SIGSTOP)
	case "continue":
		r.process.signal(syscall.SIGCONT)
	default:
		r.fatalf("no such step: %s", what)
	}
}

func (r *run) takeSimulator(what json.RawMessage) {
	if string(what) == `"stop"` {
		r.aulm.stop()
		return
	}
	var call webhookStep
	if err := strict(what, &call); err != nil {
		r.fatalf("%v", err)
	}
	r.aulm.control(call.Method, call.Path, call.Body, nil)
}

func (r *run) checkRequests(expected *requestsStep) {
	var list struct {
		Requests []struct {
			Target, Body string
			MessageID    string `json:"message_id"`
		}
	}
	r.aulm.control(http.MethodGet, "requests", nil, &list)
	count, accepted, bodies := 0, 0, ""
	for _, request := range list.Requests {
		if !strings.HasPrefix(request.Target, expected.Path) {
			continue
		}
		count++
		bodies += request.Body + "\n"
		if request.MessageID != "" {
			accepted++
		}
	}
	if count != expected.Count || accepted != expected.Accepted {
		r.fatalf("%d requests, %d accepted", count, accepted)
	}
	for _, text := range expected.BodiesContain {
		if !strings.Contains(bodies, text) {
			r.fatalf("no request has %s", text)
		}
	}
}

// --- calls ---

func (r *run) takeSend(s step) {
	what := s.SendText
	if what == nil {
		what = s.SendImage
	}
	session, known := r.table.Sessions[what.Session]
	if !known {
		session = what.Session
	}
	id := what.RequestID.text
	if what.RequestID.of != "" {
		id = r.answerOf(what.RequestID.of)["ok"].(map[string]any)["request_id"].(string)
	}
	result := make(chan answer, 1)
	go func() {
		ctx := context.Background()
		if what.TimeoutMS > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(what.TimeoutMS)*time.Millisecond)
			defer cancel()
		}
		if s.SendText != nil {
			response, err := r.client.SendText(ctx,
				&gatewayv1.SendTextRequest{SessionId: session, To: what.To, Body: what.Body, RequestId: id})
			result <- sendAnswer(response, err)
			return
		}
		request := &gatewayv1.SendImageRequest{SessionId: session, To: what.To, Caption: what.Caption, RequestId: id}
		if what.URL != "" {
			request.Image = &gatewayv1.SendImageRequest_ImageUrl{ImageUrl: what.URL}
		} else {
			request.Image = &gatewayv1.SendImageRequest_ImageData{ImageData: &gatewayv1.ImageData{Data: what.DataBase64}}
		}
		response, err := r.client.SendImage(ctx, request)
		result <- sendAnswer(response, err)
	}()
	if what.As != "" {
		r.sends[what.As] = result
	}
	if !what.Background {
		a := <-result
		result <- a
		r.check(a, s.Expect)
	}
}

func (r *run) answerOf(name string) answer {
	result := r.sends[name]
	a := <-result
	result <- a
	return a
}

func (r *run) sessionStatus(what *sessionStatusStep) answer {
	session, err := r.client.SessionStatus(r.t.Context(), r.table.Sessions[what.Session])
	if err != nil {
		return errorAnswer(err)
	}
	return answer{"ok": map[string]any{"aulm_state": session.GetAulmState(),
		"state": strings.TrimPrefix(session.GetState().String(), "SESSION_STATE_")}}
}

func sendAnswer(response interface {
	GetMessage() *gatewayv1.SentMessage
	GetRateLimit() *gatewayv1.RateLimit
	GetReplayed() bool
}, err error) answer {
	if err != nil {
		return errorAnswer(err)
	}
	message, limit := response.GetMessage(), response.GetRateLimit()
	return answer{"ok": map[string]any{
		"message_id": message.GetMessageId(), "session_id": message.GetSessionId(), "to": message.GetTo(),
		"status": strings.TrimPrefix(message.GetStatus().String(), "MESSAGE_STATUS_"), "simulated": message.GetSimulated(),
		"request_id": message.GetRequestId(), "aulm_request_id": message.GetAulmRequestId(), "replayed": response.GetReplayed(),
		"rate_limit": map[string]any{"limit": float64(limit.GetLimit()), "remaining": float64(limit.GetRemaining())},
	}}
}

func errorAnswer(err error) answer {
	var e *gateway.CallError
	if !errors.As(err, &e) {
		return answer{"other": err}
	}
	fields := []any{}
	for _, violation := range e.FieldViolations {
		fields = append(fields, violation.Subject)
	}
	result := map[string]any{
		"code": codeName(e.Code), "reason": e.Reason, "domain": e.Domain, "outcome": string(e.Outcome),
		"retry_after": e.RetryAfter, "request_id": e.RequestID, "aulm_request_id": e.AulmRequestID, "fields": fields,
		"preconditions": float64(len(e.PreconditionViolations)), "earliest_cursor": string(e.EarliestCursor),
	}
	if e.Quota != nil {
		result["quota"] = map[string]any{
			"limit": float64(e.Quota.GetLimit()), "remaining": float64(e.Quota.GetRemaining())}
	}
	return answer{"error": result}
}

// codeName is gRPC's own: Go's has its own way of writing it.
func codeName(code codes.Code) string {
	name := ""
	for i, letter := range code.String() {
		if i > 0 && letter >= 'A' && letter <= 'Z' && code != codes.OK {
			name += "_"
		}
		name += strings.ToUpper(string(letter))
	}
	return strings.Replace(name, "CANCELED", "CANCELLED", 1)
}

func (r *run) check(seen answer, expected map[string]any) {
	r.t.Helper()
	if !fits(map[string]any(seen), expected) {
		r.fatalf("saw %v, want %v", seen, expected)
	}
}

// fits is true when seen has what is expected of it; what is not mentioned is not looked at.
func fits(seen, expected any) bool {
	if expected == "present" {
		return seen != nil && !reflect.ValueOf(seen).IsZero()
	}
	fields, isMap := expected.(map[string]any)
	if !isMap {
		return reflect.DeepEqual(seen, expected)
	}
	has, isMap := seen.(map[string]any)
	for key, value := range fields {
		if !isMap || !fits(has[key], value) {
			return false
		}
	}
	return true
}

// --- consumers ---

func (r *run) request(what *subscribeStep) *gatewayv1.SubscribeEventsRequest {
	request := &gatewayv1.SubscribeEventsRequest{Subscription: what.Subscription, IncludeRawBody: what.IncludeRawBody,
		MaxOutstandingEvents: what.MaxOutstandingEvents}
	if what.HeartbeatMS > 0 {
		request.HeartbeatInterval = durationpb.New(time.Duration(what.HeartbeatMS) * time.Millisecond)
	}
	if what.OnExpiredCursor != "" {
		request.OnExpiredCursor = gatewayv1.OnExpiredCursor(
			enumValue(r, gatewayv1.OnExpiredCursor_value, "ON_EXPIRED_CURSOR_"+what.OnExpiredCursor))
	}
	if what.Filter != nil {
		request.Filter = r.filter(what.Filter)
	}
	switch from := what.Start; {
	case from == nil:
	case from.position != "":
		request.Start = &gatewayv1.SubscribeEventsRequest_Position{Position: r.position(from)}
	case from.CursorOf != "":
		request.Start = &gatewayv1.SubscribeEventsRequest_AfterCursor{AfterCursor: r.event(from.CursorOf).GetCursor()}
	case from.TimeOf != "":
		request.Start = &gatewayv1.SubscribeEventsRequest_StartTime{StartTime: r.event(from.TimeOf).GetIngestedTime()}
	default:
		request.Start = &gatewayv1.SubscribeEventsRequest_AfterCursor{AfterCursor: from.Cursor}
	}
	return request
}

func (r *run) position(from *start) gatewayv1.StartPosition {
	return gatewayv1.StartPosition(enumValue(r, gatewayv1.StartPosition_value, "START_POSITION_"+from.position))
}

func (r *run) filter(what *filter) *gatewayv1.EventFilter {
	f := &gatewayv1.EventFilter{Peers: what.Peers, MessageIds: what.MessageIDs}
	for _, name := range what.Types {
		f.Types = append(f.Types, gatewayv1.EventType(enumValue(r, gatewayv1.EventType_value, "EVENT_TYPE_"+name)))
	}
	for _, name := range what.Statuses {
		f.Statuses = append(f.Statuses,
			gatewayv1.MessageStatus(enumValue(r, gatewayv1.MessageStatus_value, "MESSAGE_STATUS_"+name)))
	}
	for _, name := range what.SessionIDs {
		f.SessionIds = append(f.SessionIds, r.table.Sessions[name])
	}
	if what.TestEvents != "" {
		f.TestEvents = gatewayv1.TestEvents(enumValue(r, gatewayv1.TestEvents_value, "TEST_EVENTS_"+what.TestEvents))
	}
	return f
}

func enumValue(r *run, values map[string]int32, name string) int32 {
	value, known := values[name]
	if !known {
		r.fatalf("no such value: %s", name)
	}
	return value
}

func (r *run) event(name string) *gatewayv1.Event {
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	return r.record.events[name]
}

func (r *run) awaitHandling(expected *eventsStep) {
	var seen []string
	wanted := slices.Sorted(slices.Values(expected.Events))
	if !r.record.wait(limit, func() bool {
		seen = nil
		for _, one := range r.record.running {
			if slices.Contains(expected.By, one.consumer) {
				seen = append(seen, one.event)
			}
		}
		slices.Sort(seen)
		return slices.Equal(seen, wanted)
	}) {
		r.fatalf("handlers run for %v, want %v", seen, wanted)
	}
}

func (r *run) awaitHandled(expected *eventsStep) {
	var seen []handled
	var names []string
	r.record.wait(limit, func() bool {
		seen, names = nil, nil
		for _, one := range r.record.handled {
			if slices.Contains(expected.By, one.consumer) {
				seen = append(seen, one)
				names = append(names, one.event)
			}
		}
		return len(seen) >= len(expected.Events)
	})
	wanted := slices.Clone(expected.Events)
	if expected.InAnyOrder {
		slices.Sort(names)
		slices.Sort(wanted)
	}
	if !slices.Equal(names, wanted) {
		r.fatalf("handled %v, want %v", names, wanted)
	}
	for i, body := range expected.RawBodies {
		if seen[i].rawBody != body {
			r.fatalf("raw body %q, want %q", seen[i].rawBody, body)
		}
	}
	for i, attempt := range expected.Attempts {
		if seen[i].attempt != attempt {
			r.fatalf("attempt %d, want %d", seen[i].attempt, attempt)
		}
	}
}

func (r *run) awaitNotice(expected *noticeStep) {
	c := r.consumers[expected.By]
	want := expected.Expect
	found := r.record.wait(limit, func() bool {
		count := 0
		for _, n := range c.notices[expected.Kind] {
			if (want.Code == nil || n.code == *want.Code) && (want.Reason == nil || n.reason == *want.Reason) &&
				(want.CaughtUp == nil || n.caughtUp == *want.CaughtUp) &&
				(want.LagEvents == nil || n.lagEvents == *want.LagEvents) {
				count++
			}
		}
		return count >= max(expected.Count, 1)
	})
	if !found {
		r.fatalf("notices of %s: %+v", expected.Kind, c.notices[expected.Kind])
	}
	r.record.change(func() { c.notices[expected.Kind] = nil })
}

func (r *run) awaitEnd(expected *endedStep) {
	c := r.consumers[expected.By]
	if !r.record.wait(limit, func() bool { return c.ended }) {
		r.fatalf("%s goes on", expected.By)
	}
	if expected.HandlerFailed {
		if !errors.Is(c.err, errHandlerFailed) {
			r.fatalf("%s ended with %v", expected.By, c.err)
		}
		return
	}
	if c.err == nil {
		r.fatalf("%s ended without an error", expected.By)
	}
	r.check(errorAnswer(c.err), map[string]any{"error": expected.Error})
}

// --- durable subscriptions ---

func (r *run) createSubscription(what *createSubscriptionStep) {
	subscription := &gatewayv1.Subscription{
		Name:        what.Name,
		Mode:        gatewayv1.SubscriptionMode(enumValue(r, gatewayv1.SubscriptionMode_value, "SUBSCRIPTION_MODE_"+what.Mode)),
		Start:       &gatewayv1.Subscription_Position{Position: r.position(what.Start)},
		MaxAttempts: what.MaxAttempts,
	}
	if what.RetryDelayMS > 0 {
		subscription.RetryDelay = durationpb.New(time.Duration(what.RetryDelayMS) * time.Millisecond)
	}
	if what.AckDeadlineMS > 0 {
		subscription.AckDeadline = durationpb.New(time.Duration(what.AckDeadlineMS) * time.Millisecond)
	}
	_, err := r.subscriptions.CreateSubscription(r.t.Context(),
		&gatewayv1.CreateSubscriptionRequest{Subscription: subscription})
	if err != nil {
		r.fatalf("%v", err)
	}
}

func (r *run) awaitStats(expected map[string]any) {
	awaitOther(r.t, "these figures", func() bool {
		response, err := r.subscriptions.GetSubscription(r.t.Context(),
			&gatewayv1.GetSubscriptionRequest{Name: expected["name"].(string)})
		if err != nil {
			r.fatalf("%v", err)
		}
		stats := response.GetSubscription().GetStats()
		return fits(map[string]any{"name": expected["name"], "lag_events": float64(stats.GetLagEvents()),
			"outstanding_events": float64(stats.GetOutstandingEvents())}, expected)
	})
}

func (r *run) awaitParked(expected *parkedStep) {
	awaitOther(r.t, "these parked events", func() bool {
		response, err := r.subscriptions.ListParkedEvents(r.t.Context(),
			&gatewayv1.ListParkedEventsRequest{Subscription: expected.Subscription})
		if err != nil {
			r.fatalf("%v", err)
		}
		var names, reasons []string
		for _, parked := range response.GetParkedEvents() {
			names = append(names, eventName(parked.GetEvent()))
			reasons = append(reasons, strings.TrimPrefix(parked.GetReason().String(), "PARK_REASON_"))
		}
		return sameUnordered(names, expected.Events) && (expected.Reasons == nil || sameUnordered(reasons, expected.Reasons))
	})
}

func sameUnordered(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
