package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// webhooks verifies deliveries and stores them before it answers.
type webhooks struct {
	secret  []byte
	store   *store
	prepare sync.Once
	insert  *sql.Stmt
}

func (w *webhooks) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 1<<20))
	if err != nil {
		http.Error(response, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	mac := hmac.New(sha256.New, w.secret)
	mac.Write(raw)
	given, err := hex.DecodeString(strings.TrimPrefix(request.Header.Get("X-Aulm-Signature"), "sha256="))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		http.Error(response, "signature", http.StatusUnauthorized)
		return
	}
	var body struct {
		Event, From, To, Body, Status string
		DeliveryID                    string `json:"delivery_id"`
		SessionID                     string `json:"session_id"`
		MessageID                     string `json:"message_id"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		http.Error(response, "JSON", http.StatusBadRequest)
		return
	}
	w.prepare.Do(func() {
		w.insert = prepare(w.store, `INSERT OR IGNORE INTO events(delivery_id, session_id, kind, peer, message_id, body, raw)
			VALUES(?, ?, ?, ?, ?, ?, ?)`)
	})
	if err := w.store.run(true, w.insert, body.DeliveryID, body.SessionID, body.Event, body.From+body.To, body.MessageID,
		body.Body+body.Status, raw); err != nil {
		http.Error(response, errNotStored.Error(), http.StatusServiceUnavailable)
		return
	}
	response.WriteHeader(http.StatusOK)
}

// events streams the log.
type events struct {
	gatewayv1.UnimplementedEventServiceServer
	store *store
}

func (e *events) SubscribeEvents(request *gatewayv1.SubscribeEventsRequest,
	stream grpc.ServerStreamingServer[gatewayv1.SubscribeEventsResponse]) error {
	position := int64(0)
	if cursor := request.GetAfterCursor(); len(cursor) == 8 {
		position = int64(binary.BigEndian.Uint64(cursor))
	}
	for {
		found, changed, err := e.store.after(position, 256)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			select {
			case <-changed:
				continue
			case <-stream.Context().Done():
				return nil
			}
		}
		batch := &gatewayv1.EventBatch{}
		for _, each := range found {
			batch.Deliveries = append(batch.Deliveries, &gatewayv1.Delivery{Event: message(each)})
			position = each.sequence
		}
		batch.ResumeCursor = cursor(position)
		if err := stream.Send(&gatewayv1.SubscribeEventsResponse{
			Frame: &gatewayv1.SubscribeEventsResponse_EventBatch{EventBatch: batch}}); err != nil {
			return err
		}
	}
}

func cursor(sequence int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(sequence))
}

func message(e event) *gatewayv1.Event {
	m := &gatewayv1.Event{Cursor: cursor(e.sequence), DeliveryId: e.deliveryID, SessionId: e.sessionID, EventName: e.kind,
		Account: "default"}
	if e.kind == "inbound_message" {
		m.Payload = &gatewayv1.Event_InboundMessage{InboundMessage: &gatewayv1.InboundMessage{From: e.peer,
			MessageId: e.messageID, Body: e.bodyOrStatus}}
	} else {
		m.Payload = &gatewayv1.Event_MessageStatus{MessageStatus: &gatewayv1.MessageStatusChange{To: e.peer,
			MessageId: e.messageID, AulmStatus: e.bodyOrStatus}}
	}
	return m
}
