package gateway

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

// fakeGateway answers as a test says: one function a call, in turn, the last again and again.
type fakeGateway struct {
	gatewayv1.UnimplementedMessagingServiceServer
	gatewayv1.UnimplementedEventServiceServer
	gatewayv1.UnimplementedSubscriptionServiceServer

	target        string
	mu            sync.Mutex
	mode          gatewayv1.SubscriptionMode
	finding       func() error
	sends         []func() error
	streams       []func(stream subscribeServer) error
	sendRequests  []*gatewayv1.SendTextRequest
	subscriptions []*gatewayv1.SubscribeEventsRequest
	settlements   []*gatewayv1.Settlement
	acknowledged  []string
	acknowledging func() error
	tokens        []string
	settled       chan *gatewayv1.Settlement
}

type subscribeServer = grpc.ServerStreamingServer[gatewayv1.SubscribeEventsResponse]

func startFakeGateway(t *testing.T) (*fakeGateway, *Client) {
	t.Helper()
	fake := &fakeGateway{settled: make(chan *gatewayv1.Settlement, 100)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake.target = listener.Addr().String()
	server := grpc.NewServer()
	gatewayv1.RegisterMessagingServiceServer(server, fake)
	gatewayv1.RegisterEventServiceServer(server, fake)
	gatewayv1.RegisterSubscriptionServiceServer(server, fake)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client, err := NewClient(fake.target, Options{Token: StaticToken("secret")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return fake, client
}

func take[T any](list *[]T) T {
	first := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return first
}

func (f *fakeGateway) SendText(ctx context.Context, request *gatewayv1.SendTextRequest) (*gatewayv1.SendTextResponse, error) {
	f.mu.Lock()
	f.sendRequests = append(f.sendRequests, request)
	incoming, _ := metadata.FromIncomingContext(ctx)
	f.tokens = append(f.tokens, incoming.Get("authorization")...)
	next := take(&f.sends)
	f.mu.Unlock()
	if err := next(); err != nil {
		return nil, err
	}
	return &gatewayv1.SendTextResponse{Message: &gatewayv1.SentMessage{RequestId: request.GetRequestId()}}, nil
}

func (f *fakeGateway) SubscribeEvents(request *gatewayv1.SubscribeEventsRequest, stream subscribeServer) error {
	f.mu.Lock()
	f.subscriptions = append(f.subscriptions, request)
	next := take(&f.streams)
	f.mu.Unlock()
	return next(stream)
}

func (f *fakeGateway) AcknowledgeEvents(_ context.Context,
	request *gatewayv1.AcknowledgeEventsRequest) (*gatewayv1.AcknowledgeEventsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.acknowledging != nil {
		if err := f.acknowledging(); err != nil {
			return nil, err
		}
	}
	f.acknowledged = append(f.acknowledged, string(request.GetUpToCursor()))
	for _, settlement := range request.GetSettlements() {
		f.settlements = append(f.settlements, settlement)
		f.settled <- settlement
	}
	return &gatewayv1.AcknowledgeEventsResponse{}, nil
}

func (f *fakeGateway) GetSubscription(context.Context,
	*gatewayv1.GetSubscriptionRequest) (*gatewayv1.GetSubscriptionResponse, error) {
	if f.finding != nil {
		if err := f.finding(); err != nil {
			return nil, err
		}
	}
	return &gatewayv1.GetSubscriptionResponse{Subscription: &gatewayv1.Subscription{Mode: f.mode,
		AckDeadline: durationpb.New(60 * time.Millisecond)}}, nil
}

// requests are the SubscribeEvents calls so far.
func (f *fakeGateway) requests() []*gatewayv1.SubscribeEventsRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.subscriptions
}

func ok() error { return nil }

// failure is an error as the gateway makes it.
func failure(code codes.Code, reason, domain, outcome string, more ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: domain, Metadata: map[string]string{"outcome": outcome}}
	s, err := status.New(code, "made for a test").WithDetails(append([]protoadapt.MessageV1{info}, more...)...)
	if err != nil {
		panic(err)
	}
	return s.Err()
}

func fails(err error) func() error { return func() error { return err } }

func event(cursor, from string) *gatewayv1.Event {
	return &gatewayv1.Event{Cursor: []byte(cursor),
		Payload: &gatewayv1.Event_InboundMessage{InboundMessage: &gatewayv1.InboundMessage{From: from}}}
}

func started(head string) *gatewayv1.SubscribeEventsResponse {
	return &gatewayv1.SubscribeEventsResponse{
		Frame: &gatewayv1.SubscribeEventsResponse_Started{Started: &gatewayv1.Started{HeadCursor: []byte(head)}}}
}

func batch(resume string, events ...*gatewayv1.Event) *gatewayv1.SubscribeEventsResponse {
	frame := &gatewayv1.EventBatch{ResumeCursor: []byte(resume)}
	for _, e := range events {
		frame.Deliveries = append(frame.Deliveries, &gatewayv1.Delivery{Event: e})
	}
	return &gatewayv1.SubscribeEventsResponse{Frame: &gatewayv1.SubscribeEventsResponse_EventBatch{EventBatch: frame}}
}

func shared(token, from string) *gatewayv1.SubscribeEventsResponse {
	return &gatewayv1.SubscribeEventsResponse{Frame: &gatewayv1.SubscribeEventsResponse_EventBatch{
		EventBatch: &gatewayv1.EventBatch{Deliveries: []*gatewayv1.Delivery{
			{Event: event("c-"+token, from), AckToken: []byte(token), Attempt: 1}}}}}
}

func drain(resume string, after time.Duration) *gatewayv1.SubscribeEventsResponse {
	return &gatewayv1.SubscribeEventsResponse{Frame: &gatewayv1.SubscribeEventsResponse_Drain{Drain: &gatewayv1.Drain{
		Reason: "shutdown", ReconnectAfter: durationpb.New(after), ResumeCursor: []byte(resume)}}}
}

// sends is a stream of these frames that then stays open.
func streamOf(frames ...*gatewayv1.SubscribeEventsResponse) func(subscribeServer) error {
	return func(stream subscribeServer) error {
		for _, frame := range frames {
			if err := stream.Send(frame); err != nil {
				return err
			}
		}
		<-stream.Context().Done()
		return nil
	}
}

// broken is a stream of these frames that then breaks.
func broken(frames ...*gatewayv1.SubscribeEventsResponse) func(subscribeServer) error {
	return func(stream subscribeServer) error {
		for _, frame := range frames {
			if err := stream.Send(frame); err != nil {
				return err
			}
		}
		return status.Error(codes.Unavailable, "broken")
	}
}
