package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// Outcome is what became of a send that failed.
type Outcome string

const (
	// OutcomeNone: not told, since the call was no send.
	OutcomeNone Outcome = "none"
	// OutcomeNotSent: aulm did not take the message, and a repeat is safe.
	OutcomeNotSent Outcome = "not_sent"
	// OutcomeUnknown: nobody can know; a repeat under another request id may send the message twice.
	OutcomeUnknown Outcome = "unknown"
)

// Violation is one complaint, as the standard details list them.
type Violation struct {
	// Subject is the field ("to"), the precondition's subject ("session:…") or the quota's ("account:…").
	Subject string
	// Description says what is wrong and how it is mended.
	Description string
}

// CallError is a call that failed: everything that the gateway put into the status and its details, decoded once. Every
// method of Client returns it; get it with errors.As.
type CallError struct {
	Code codes.Code
	// Message is for developers, in English.
	Message string
	// Reason is UPPER_SNAKE: aulm's error code or the gateway's own. Empty when the error came without details, from a
	// broken connection or a proxy.
	Reason string
	// Domain is "aulm.io" or "aulm-gateway": whose word the reason is.
	Domain string
	// Outcome of a send: may it be repeated?
	Outcome Outcome
	// RetryAfter is the least to wait before a repeat; 0 where nothing was said.
	RetryAfter time.Duration
	// Quota of the account, where aulm told it, else nil.
	Quota *gatewayv1.RateLimit
	// RequestID of the send: the caller's, or the one that was made for it. Empty on reads.
	RequestID string
	// AulmRequestID is aulm's x-request-id: quote it to aulm's support. Empty when aulm was not asked.
	AulmRequestID string
	// FieldViolations name the fields of the request that are wrong.
	FieldViolations []Violation
	// PreconditionViolations say what must be put right before the call can work.
	PreconditionViolations []Violation
	// QuotaViolations say which quota ran out.
	QuotaViolations []Violation
	// ResourceDescription is what the error says of the session or subscription that it is about.
	ResourceDescription string
	// EarliestCursor comes with CURSOR_EXPIRED: where the log now starts, ready for after_cursor.
	EarliestCursor []byte
	// Metadata of ErrorInfo, whole.
	Metadata map[string]string

	status *status.Status
}

// Error is code, reason and message in one line.
func (e *CallError) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("%v %s", e.Code, e.Reason))
	if e.Message == "" {
		return text
	}
	return text + ": " + e.Message
}

// GRPCStatus lets status.FromError and status.Code see what gRPC returned.
func (e *CallError) GRPCStatus() *status.Status {
	if e.status == nil {
		return status.New(e.Code, e.Message)
	}
	return e.status
}

// FromGateway is true when the gateway itself answered, and not a broken connection or a proxy.
func (e *CallError) FromGateway() bool { return e.Reason != "" }

// AsCallError decodes what a generated stub returned; nil for nil. Details that cannot be read are left out, never an
// error of their own.
func AsCallError(err error) *CallError {
	if err == nil {
		return nil
	}
	var decoded *CallError
	if errors.As(err, &decoded) {
		return decoded
	}
	s := status.Convert(err)
	e := &CallError{Code: s.Code(), Message: s.Message(), Outcome: OutcomeNone, status: s}
	for _, detail := range s.Details() {
		e.read(detail)
	}
	return e
}

func (e *CallError) read(detail any) {
	switch d := detail.(type) {
	case *errdetails.ErrorInfo:
		e.readErrorInfo(d)
	case *errdetails.RetryInfo:
		e.RetryAfter = d.GetRetryDelay().AsDuration()
	case *errdetails.RequestInfo:
		e.AulmRequestID = d.GetRequestId()
	case *errdetails.BadRequest:
		for _, v := range d.GetFieldViolations() {
			e.FieldViolations = append(e.FieldViolations, Violation{v.GetField(), v.GetDescription()})
		}
	case *errdetails.PreconditionFailure:
		for _, v := range d.GetViolations() {
			e.PreconditionViolations = append(e.PreconditionViolations, Violation{v.GetSubject(), v.GetDescription()})
		}
	case *errdetails.QuotaFailure:
		for _, v := range d.GetViolations() {
			e.QuotaViolations = append(e.QuotaViolations, Violation{v.GetSubject(), v.GetDescription()})
		}
	case *errdetails.ResourceInfo:
		e.ResourceDescription = d.GetDescription()
	case *gatewayv1.RateLimit:
		e.Quota = d
	}
}

func (e *CallError) readErrorInfo(info *errdetails.ErrorInfo) {
	e.Reason, e.Domain, e.Metadata = info.GetReason(), info.GetDomain(), info.GetMetadata()
	switch outcome := Outcome(e.Metadata["outcome"]); outcome {
	case OutcomeNotSent, OutcomeUnknown:
		e.Outcome = outcome
	}
	e.RequestID = e.Metadata["request_id"]
	cursor := strings.TrimRight(e.Metadata["earliest_cursor"], "=")
	if decoded, err := base64.RawURLEncoding.DecodeString(cursor); err == nil && len(decoded) > 0 {
		e.EarliestCursor = decoded
	}
}

// wrongMode is the error of following a durable subscription in the way of the other mode.
func wrongMode(subscription, mode, use string) *CallError {
	return &CallError{Code: codes.FailedPrecondition, Reason: "SUBSCRIPTION_MODE", Outcome: OutcomeNone,
		Message: fmt.Sprintf("the subscription %s has mode %s: use %s", subscription, mode, use)}
}

// failedSendOutcome is what a single try of a send that ended so means: as told, else by the code alone.
func failedSendOutcome(e *CallError) Outcome {
	if e.Outcome != OutcomeNone {
		return e.Outcome
	}
	switch e.Code {
	case codes.Unimplemented, codes.Unauthenticated, codes.PermissionDenied:
		return OutcomeNotSent
	default:
		return OutcomeUnknown
	}
}
