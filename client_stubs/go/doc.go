// Package gateway is the Go client of aulm-gateway: it sends WhatsApp messages through aulm, and follows what comes back.
//
// A Client is one connection, to be shared by a process. SendText and SendImage make a request id and repeat what was
// certainly not sent; every failure is a *CallError, which tells whether a send may be repeated. Subscribe and Events
// follow the gateway's events, each once and in order, over broken connections and restarts of the gateway; Consume takes
// part in a durable subscription whose events several consumers share.
//
// The messages of the contract are in the package gatewayv1.
package gateway
