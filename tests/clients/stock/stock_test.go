// Package stock holds tools and packages that are not ours against the gateway and the simulator: grpcurl and ghz by
// reflection, with no .proto file at hand, and Go's own decoder of status details.
package stock

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	sendText  = "aulm.gateway.v1.MessagingService/SendText"
	session   = "00000000-0000-4000-8000-000000000001"
	textToOne = `{"session_id": "` + session + `", "to": "+966512345678", "body": "Hello"}`
)

// start starts a program and returns the addresses of its lines "listening NAME ADDRESS".
func start(t *testing.T, count int, environment []string, program string, arguments ...string) map[string]string {
	t.Helper()
	command := exec.Command(filepath.Join(os.Getenv("AULM_GATEWAY_BIN"), program), arguments...)
	command.Env = append(os.Environ(), environment...)
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	listening := map[string]string{}
	for lines := bufio.NewScanner(stdout); len(listening) < count; {
		if !lines.Scan() {
			t.Fatalf("%s ended before it was ready", program)
		}
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == "listening" {
			listening[words[1]] = words[2]
		}
	}
	return listening
}

// startGateway starts a gateway with a simulator, and returns where it takes gRPC.
func startGateway(t *testing.T) string {
	t.Helper()
	aulm := start(t, 1, nil, "aulm-simulator", "--listen=127.0.0.1:0")["aulm"]
	return start(t, 3, []string{"AULM_BASE_URL=http://" + aulm, "AULM_API_KEY=alm_sk_test_simulator",
		"AULM_WEBHOOK_SECRET=whsec_simulator", "GATEWAY_GRPC_LISTEN=127.0.0.1:0", "GATEWAY_WEBHOOK_LISTEN=127.0.0.1:0",
		"GATEWAY_ADMIN_LISTEN=127.0.0.1:0", "GATEWAY_STORE=sqlite://" + t.TempDir()}, "aulm-gateway")["grpc"]
}

// tool runs one of go.mod's tools, and returns what it prints; where it fails, what it complains of besides. (Before the
// first run go itself tells on standard error what it downloads.)
func tool(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	var complaints strings.Builder
	command := exec.CommandContext(t.Context(), "go", append([]string{"tool"}, arguments...)...)
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return string(output) + complaints.String(), err
	}
	return string(output), nil
}

func TestGrpcurlListsServices(t *testing.T) {
	output, err := tool(t, "grpcurl", "-plaintext", startGateway(t), "list")
	if err != nil {
		t.Fatal(err, output)
	}
	for _, service := range []string{"EventService", "MessagingService", "SessionService"} {
		if !slices.Contains(strings.Fields(output), "aulm.gateway.v1."+service) {
			t.Errorf("no %s in %q", service, output)
		}
	}
}

func TestGrpcurlSends(t *testing.T) {
	output, err := tool(t, "grpcurl", "-plaintext", "-d", textToOne, startGateway(t), sendText)
	if err != nil {
		t.Fatal(err, output)
	}
	var response struct {
		Message struct {
			MessageID string `json:"message_id"`
			Status    string
		}
	}
	if err := json.Unmarshal([]byte(output), &response); err != nil {
		t.Fatal(err, output)
	}
	if response.Message.MessageID == "" || response.Message.Status != "MESSAGE_STATUS_SENT" {
		t.Errorf("answered %s", output)
	}
}

func TestGrpcurlShowsErrorDetails(t *testing.T) {
	output, err := tool(t, "grpcurl", "-plaintext", "-d", `{"to": "0512"}`, startGateway(t), sendText)
	if err == nil {
		t.Fatal("a bad request went through")
	}
	for _, text := range []string{"InvalidArgument", "INVALID_FIELD", "session_id"} {
		if !strings.Contains(output, text) {
			t.Errorf("no %s in %s", text, output)
		}
	}
}

func TestGhzMeasuresSends(t *testing.T) {
	const calls = 200
	output, err := tool(t, "ghz", "--insecure", "--call", sendText, "--data", textToOne, "--total", "200",
		"--concurrency", "10", "--format", "json", startGateway(t))
	if err != nil {
		t.Fatal(err, output)
	}
	var report struct {
		Count                  int
		StatusCodeDistribution map[string]int
	}
	if err := json.Unmarshal([]byte(output), &report); err != nil {
		t.Fatal(err, output)
	}
	if report.Count != calls || report.StatusCodeDistribution["OK"] != calls {
		t.Errorf("%d calls ended as %v", report.Count, report.StatusCodeDistribution)
	}
}

func TestErrdetailsDecodeAnError(t *testing.T) {
	connection, err := grpc.NewClient(startGateway(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()

	// No stub of ours: an empty message is an empty message.
	err = connection.Invoke(t.Context(), "/"+sendText, &emptypb.Empty{}, &emptypb.Empty{})

	if status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
	var info *errdetails.ErrorInfo
	var fields []string
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.BadRequest:
			for _, violation := range d.GetFieldViolations() {
				fields = append(fields, violation.GetField())
			}
		}
	}
	if info.GetReason() != "INVALID_FIELD" || info.GetDomain() != "aulm-gateway" || info.GetMetadata()["outcome"] != "not_sent" {
		t.Errorf("ErrorInfo is %v", info)
	}
	if want := []string{"session_id", "to", "body"}; !slices.Equal(fields, want) {
		t.Errorf("fields are %v, want %v", fields, want)
	}
}
