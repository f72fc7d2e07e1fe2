// Command peer is the gateway as a competent team would write it for itself in an afternoon, in Go: grpc-go, net/http and
// SQLite. It forwards sends, with a ledger for request ids, and stores webhooks durably before it answers them, many in one
// commit. ./dev bench measures it beside the product; it is no part of that.
//
// It leaves out what an afternoon does not reach: pacing, warm-up, retries and the breaker, filters and durable
// subscriptions, drains and heartbeats, tenants, metrics, retention.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"google.golang.org/grpc"

	"github.com/aulm/aulm-gateway/client_stubs/go/gatewayv1"
)

func main() {
	store, err := openStore(os.Getenv("PEER_STORE"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	gatewayv1.RegisterMessagingServiceServer(server, newMessaging(os.Getenv("AULM_BASE_URL"), os.Getenv("AULM_API_KEY"), store))
	gatewayv1.RegisterEventServiceServer(server, &events{store: store})
	calls := listen("grpc")
	go func() { log.Fatal(server.Serve(calls)) }()

	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/aulm", &webhooks{secret: []byte(os.Getenv("AULM_WEBHOOK_SECRET")), store: store})
	log.Fatal(http.Serve(listen("webhook"), mux))
}

func listen(name string) net.Listener {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", name, listener.Addr())
	return listener
}
