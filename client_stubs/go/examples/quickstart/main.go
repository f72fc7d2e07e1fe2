// Sends one message, then prints what comes back. Started again, it goes on where it was.
package main

import (
	"context"
	"log"

	gateway "github.com/aulm/aulm-gateway/client_stubs/go"
	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

func main() {
	client, err := gateway.NewClient("127.0.0.1:50051", gateway.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.SendText(context.Background(), &gatewayv1.SendTextRequest{RequestId: "order-4711",
		SessionId: "00000000-0000-4000-8000-000000000001", To: "+966512345678", Body: "Hello"}); err != nil {
		log.Print(err) // a *gateway.CallError: reason, outcome and more
	}
	start := &gatewayv1.SubscribeEventsRequest_Position{Position: gatewayv1.StartPosition_START_POSITION_EARLIEST}
	options := &gateway.SubscribeOptions{CursorStore: gateway.FileCursorStore{Path: "position"}} // until then, start
	for event, err := range client.Events(context.Background(), &gatewayv1.SubscribeEventsRequest{Start: start}, options) {
		if err != nil {
			log.Fatal(err)
		}
		log.Print(event)
	}
}
