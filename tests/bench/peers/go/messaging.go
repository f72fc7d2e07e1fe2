package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// messaging forwards sends to aulm.
type messaging struct {
	gatewayv1.UnimplementedMessagingServiceServer
	url, authorization string
	client             *http.Client
	store              *store
	find, claim, keep  *sql.Stmt
	release            *sql.Stmt
}

func newMessaging(base, key string, s *store) *messaging {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	m := &messaging{url: base + "/v1/messages/", authorization: "Bearer " + key, store: s,
		client: &http.Client{Transport: transport, Timeout: 60 * time.Second}}
	m.find = prepare(s, `SELECT answer FROM sends WHERE request_id = ?`)
	m.claim = prepare(s, `INSERT INTO sends(request_id) VALUES(?)`)
	m.keep = prepare(s, `UPDATE sends SET answer = ? WHERE request_id = ?`)
	m.release = prepare(s, `DELETE FROM sends WHERE request_id = ?`)
	return m
}

func prepare(s *store, text string) *sql.Stmt {
	statement, err := s.db.Prepare(text)
	if err != nil {
		panic(err)
	}
	return statement
}

func (m *messaging) SendText(ctx context.Context, r *gatewayv1.SendTextRequest) (*gatewayv1.SendTextResponse, error) {
	if r.GetSessionId() == "" || !strings.HasPrefix(r.GetTo(), "+") || len(r.GetTo()) > 20 || r.GetBody() == "" {
		return nil, status.Error(codes.InvalidArgument, "session_id, to or body is wrong")
	}
	id := r.GetRequestId()
	if id == "" {
		return m.send(ctx, r)
	}
	var answer []byte
	switch err := m.find.QueryRowContext(ctx, id).Scan(&answer); {
	case err == nil && answer == nil:
		return nil, status.Error(codes.Aborted, "in flight, or its outcome is not known")
	case err == nil:
		response := &gatewayv1.SendTextResponse{}
		err = proto.Unmarshal(answer, response)
		response.Replayed = true
		return response, err
	case !errors.Is(err, sql.ErrNoRows):
		return nil, status.Error(codes.Unavailable, "the store fails")
	}
	if err := m.store.run(false, m.claim, id); err != nil {
		return nil, status.Error(codes.Aborted, "in flight")
	}
	response, err := m.send(ctx, r)
	if err != nil {
		if status.Code(err) != codes.Unknown {
			_ = m.store.run(false, m.release, id)
		}
		return nil, err
	}
	data, _ := proto.Marshal(response)
	return response, m.store.run(false, m.keep, data, id)
}

// send makes the POST, once. (net/http repeats none whose body it cannot rewind.)
func (m *messaging) send(ctx context.Context, r *gatewayv1.SendTextRequest) (*gatewayv1.SendTextResponse, error) {
	body, _ := json.Marshal(map[string]string{"session_id": r.GetSessionId(), "to": r.GetTo(), "body": r.GetBody()})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"send-text", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", m.authorization)
	answer, err := m.client.Do(request)
	if err != nil {
		return nil, failure(codes.Unknown, "SEND_OUTCOME_UNKNOWN", "unknown", err.Error())
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, failure(codes.Unknown, "SEND_OUTCOME_UNKNOWN", "unknown", err.Error())
	}
	if answer.StatusCode != http.StatusCreated {
		return nil, refused(answer.StatusCode, text)
	}
	var accepted struct {
		Data struct {
			MessageID string `json:"message_id"`
			SessionID string `json:"session_id"`
			To        string `json:"to"`
			Simulated bool   `json:"simulated"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &accepted); err != nil {
		return nil, failure(codes.Unknown, "UNEXPECTED_RESPONSE", "unknown", err.Error())
	}
	return &gatewayv1.SendTextResponse{RateLimit: rateLimit(answer.Header), Message: &gatewayv1.SentMessage{
		MessageId: accepted.Data.MessageID, SessionId: accepted.Data.SessionID, To: accepted.Data.To,
		Status: gatewayv1.MessageStatus_MESSAGE_STATUS_SENT, Simulated: accepted.Data.Simulated, RequestId: r.GetRequestId(),
		AulmRequestId: answer.Header.Get("X-Request-Id")}}, nil
}

func rateLimit(header http.Header) *gatewayv1.RateLimit {
	limit, err := strconv.ParseInt(header.Get("X-Ratelimit-Limit"), 10, 64)
	if err != nil {
		return nil
	}
	remaining, _ := strconv.ParseInt(header.Get("X-Ratelimit-Remaining"), 10, 64)
	reset, _ := time.Parse(time.RFC3339, header.Get("X-Ratelimit-Reset"))
	return &gatewayv1.RateLimit{Limit: limit, Remaining: remaining, ResetTime: timestamppb.New(reset)}
}

func refused(code int, text []byte) error {
	var told struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal(text, &told)
	reason := strings.ToUpper(told.Error.Code)
	switch {
	case code == http.StatusServiceUnavailable:
		return failure(codes.Unavailable, reason, "not_sent", told.Error.Message)
	case code >= http.StatusInternalServerError:
		return failure(codes.Unknown, reason, "unknown", told.Error.Message)
	case code == http.StatusTooManyRequests:
		return failure(codes.ResourceExhausted, reason, "not_sent", told.Error.Message)
	case code == http.StatusNotFound:
		return failure(codes.NotFound, reason, "not_sent", told.Error.Message)
	case code == http.StatusForbidden:
		return failure(codes.PermissionDenied, reason, "not_sent", told.Error.Message)
	case code == http.StatusBadRequest:
		return failure(codes.InvalidArgument, reason, "not_sent", told.Error.Message)
	default:
		return failure(codes.FailedPrecondition, reason, "not_sent", told.Error.Message)
	}
}

func failure(code codes.Code, reason, outcome, message string) error {
	s, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "aulm.io",
		Metadata: map[string]string{"outcome": outcome}})
	if err != nil {
		return status.Error(code, message)
	}
	return s.Err()
}
