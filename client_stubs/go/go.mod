module github.com/aulm/aulm-gateway/client_stubs/go

go 1.24.0
