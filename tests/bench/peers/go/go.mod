// The gateway as a team would write it for itself in Go: see main.go. Built by ./dev bench.
module github.com/aulm/aulm-gateway/tests/bench/peers/go

go 1.24.0

replace github.com/aulm/aulm-gateway/client_stubs/go => ../../../../client_stubs/go

require (
	github.com/aulm/aulm-gateway/client_stubs/go v0.0.0-00010101000000-000000000000
	github.com/mattn/go-sqlite3 v1.14.53
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260120221211-b8f7ae30c516
	google.golang.org/grpc v1.80.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/net v0.49.0 // indirect
	golang.org/x/sys v0.40.0 // indirect
	golang.org/x/text v0.33.0 // indirect
)
