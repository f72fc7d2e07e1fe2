package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

var bare = status.Error(codes.Unavailable, "connection reset")

func trySend(t *testing.T, tries ...func() error) (*fakeGateway, *gatewayv1.SendTextResponse, *CallError) {
	t.Helper()
	fake, client := startFakeGateway(t)
	fake.sends = tries
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	response, err := client.SendText(ctx, &gatewayv1.SendTextRequest{Body: "Hello"})
	var failed *CallError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("not a CallError: %v", err)
	}
	return fake, response, failed
}

func TestRequestIDIsTheSameInEveryTry(t *testing.T) {
	fake, response, _ := trySend(t, fails(failure(codes.Unavailable, "DRAINING", "aulm-gateway", "not_sent")), fails(bare), ok)

	id := response.GetMessage().GetRequestId()
	if len(fake.sendRequests) != 3 || id == "" {
		t.Fatalf("%d tries, request id %q", len(fake.sendRequests), id)
	}
	for _, request := range fake.sendRequests {
		if request.GetRequestId() != id {
			t.Errorf("a try with request id %q, another with %q", request.GetRequestId(), id)
		}
	}
}

func TestUnknownOutcomeIsNotRepeated(t *testing.T) {
	fake, _, failed := trySend(t, fails(failure(codes.Unknown, "SEND_OUTCOME_UNKNOWN", "aulm-gateway", "unknown")))

	if len(fake.sendRequests) != 1 || failed.Outcome != OutcomeUnknown {
		t.Errorf("%d tries, outcome %s", len(fake.sendRequests), failed.Outcome)
	}
}

func TestUnavailableWithUnknownOutcomeIsNotRepeated(t *testing.T) {
	fake, _, failed := trySend(t, fails(failure(codes.Unavailable, "NEW_REASON", "aulm-gateway", "unknown")))

	if len(fake.sendRequests) != 1 || failed.Outcome != OutcomeUnknown {
		t.Errorf("%d tries, outcome %s", len(fake.sendRequests), failed.Outcome)
	}
}

func TestDoubtOutlivesAnErrorThatDidNotLookTheSendUp(t *testing.T) {
	_, _, failed := trySend(t, fails(bare), fails(failure(codes.ResourceExhausted, "OVERLOADED", "aulm-gateway", "not_sent")))

	if failed.Reason != "OVERLOADED" || failed.Outcome != OutcomeUnknown {
		t.Errorf("reason %s, outcome %s", failed.Reason, failed.Outcome)
	}
}

func TestAulmsAnswerEndsTheDoubt(t *testing.T) {
	_, _, failed := trySend(t, fails(bare), fails(failure(codes.NotFound, "SESSION_NOT_FOUND", "aulm.io", "not_sent")))

	if failed.Outcome != OutcomeNotSent {
		t.Errorf("outcome %s", failed.Outcome)
	}
}

func TestBareRefusalWasNotSent(t *testing.T) {
	_, _, failed := trySend(t, fails(status.Error(codes.Unauthenticated, "no token")))

	if failed.Outcome != OutcomeNotSent || failed.RequestID == "" {
		t.Errorf("outcome %s, request id %q", failed.Outcome, failed.RequestID)
	}
}

func TestRetryInfoBeyondTheDeadlineIsNotWaitedFor(t *testing.T) {
	fake, _, failed := trySend(t, fails(failure(codes.Unavailable, "BREAKER_OPEN", "aulm-gateway", "not_sent",
		&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)})))

	if len(fake.sendRequests) != 1 || failed.RetryAfter != time.Hour || failed.Outcome != OutcomeNotSent {
		t.Errorf("%d tries, retry after %v, outcome %s", len(fake.sendRequests), failed.RetryAfter, failed.Outcome)
	}
}

func TestTokenGoesWithEachCall(t *testing.T) {
	fake, _, _ := trySend(t, ok)

	if len(fake.tokens) != 1 || fake.tokens[0] != "Bearer secret" {
		t.Errorf("authorization was %q", fake.tokens)
	}
}

func TestWhatTheClientItselfRefusesWasNotSent(t *testing.T) {
	fake, client := startFakeGateway(t)
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	another := func(options Options) *Client {
		made, err := NewClient(fake.target, options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = made.Close() })
		return made
	}
	closed := another(Options{})
	_ = closed.Close()
	for name, test := range map[string]struct {
		client *Client
		ctx    context.Context
		body   string
		code   codes.Code
	}{
		"no time":        {client, expired, "Hello", codes.DeadlineExceeded},
		"cancelled":      {client, cancelled, "Hello", codes.Canceled},
		"closed":         {closed, t.Context(), "Hello", codes.Canceled},
		"over 8 MiB":     {client, t.Context(), strings.Repeat("x", MaxMessageBytes), codes.InvalidArgument},
		"not UTF-8":      {client, t.Context(), "\xff", codes.InvalidArgument},
		"token with \\n": {another(Options{Token: StaticToken("secret\n")}), t.Context(), "Hello", codes.Unauthenticated},
	} {
		_, err := test.client.SendText(test.ctx, &gatewayv1.SendTextRequest{Body: test.body})

		var failed *CallError
		if !errors.As(err, &failed) || failed.Code != test.code || failed.Outcome != OutcomeNotSent || failed.RequestID == "" {
			t.Errorf("%s: %v, %+v", name, err, failed)
		} else if failed.Message == "" || strings.Contains(failed.Message, "secret") {
			t.Errorf("%s: message %q", name, failed.Message)
		}
	}
	if len(fake.sendRequests) > 0 {
		t.Errorf("%d sends came", len(fake.sendRequests))
	}
}

func TestReadWithoutTimeIsNotMade(t *testing.T) {
	_, client := startFakeGateway(t)
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()

	_, err := client.Quota(expired, "")

	var failed *CallError
	if !errors.As(err, &failed) || failed.Code != codes.DeadlineExceeded || failed.Outcome != OutcomeNone {
		t.Errorf("%v", err)
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	for name, target := range map[string]string{"target": "", "Keepalive": "127.0.0.1:1"} {
		if _, err := NewClient(target, Options{Keepalive: time.Second}); err == nil {
			t.Errorf("no error about %s", name)
		}
	}
}
