package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit is how long a step waits.
const limit = 20 * time.Second

// awaitOther polls another process until look returns true.
func awaitOther(t *testing.T, what string, look func() bool) {
	t.Helper()
	for giveUp := time.Now().Add(limit); !look(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(giveUp) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// simulator is aulm, as it is documented.
type simulator struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.Closer
	address string
}

func startSimulator(t *testing.T, arguments ...string) *simulator {
	t.Helper()
	s := &simulator{t: t}
	s.command = exec.Command(filepath.Join(os.Getenv("AULM_GATEWAY_BIN"), "aulm-simulator"),
		append([]string{"--listen=127.0.0.1:0", "--exit-when-stdin-closes", "--webhook-concurrency=1", "--statuses=",
			"--retry-base-ms=50", "--retry-max-ms=200"}, arguments...)...)
	var err error
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.address = readListening(t, s.command, 1)["aulm"]
	t.Cleanup(s.stop)
	return s
}

func (s *simulator) stop() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

// control makes one call of the control API and decodes its JSON into answer, unless that is nil.
func (s *simulator) control(method, path string, body, answer any) {
	s.t.Helper()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(data)
	}
	request, err := http.NewRequest(method, "http://"+s.address+"/_simulator/"+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
}

// deliver has a webhook sent, and waits until it was answered 2xx.
func (s *simulator) deliver(path string, body any) {
	s.t.Helper()
	var queued struct{ Sequence int }
	s.control(http.MethodPost, path, body, &queued)
	awaitOther(s.t, "the delivery", func() bool {
		var list struct {
			Deliveries []struct {
				Sequence int
				State    string
			}
		}
		s.control(http.MethodGet, fmt.Sprintf("deliveries?after=%d", queued.Sequence-1), nil, &list)
		for _, delivery := range list.Deliveries {
			if delivery.Sequence == queued.Sequence && delivery.State == "delivered" {
				return true
			}
		}
		return false
	})
}

// gatewayProcess can be ended, paused and started again on the same ports.
type gatewayProcess struct {
	t                    *testing.T
	aulm, folder         string
	stores               int
	grpc, webhook, admin string
	command              *exec.Cmd
}

func startGateway(t *testing.T, aulm *simulator) *gatewayProcess {
	t.Helper()
	const anyPort = "127.0.0.1:0"
	g := &gatewayProcess{t: t, aulm: aulm.address, folder: t.TempDir(), grpc: anyPort, webhook: anyPort, admin: anyPort}
	g.startEmpty()
	t.Cleanup(func() {
		if g.command != nil {
			g.signal(syscall.SIGKILL)
			_ = g.command.Wait()
		}
	})
	aulm.control(http.MethodPut, "webhooks",
		map[string]any{"account": "default", "url": "http://" + g.webhook + "/webhooks/aulm"}, nil)
	return g
}

func (g *gatewayProcess) startEmpty() {
	g.t.Helper()
	g.stores++
	g.start()
}

func (g *gatewayProcess) start() {
	g.t.Helper()
	log, err := os.OpenFile(filepath.Join(g.folder, "gateway.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
	defer log.Close()
	g.command = exec.Command(filepath.Join(os.Getenv("AULM_GATEWAY_BIN"), "aulm-gateway"))
	g.command.Stderr = log
	g.command.Env = append(os.Environ(), "AULM_BASE_URL=http://"+g.aulm, "AULM_API_KEY=alm_sk_test_simulator",
		"AULM_WEBHOOK_SECRET=whsec_simulator", "GATEWAY_GRPC_LISTEN="+g.grpc, "GATEWAY_WEBHOOK_LISTEN="+g.webhook,
		"GATEWAY_ADMIN_LISTEN="+g.admin, fmt.Sprintf("GATEWAY_STORE=sqlite://%s/store-%d", g.folder, g.stores))
	listening := readListening(g.t, g.command, 3)
	g.grpc, g.webhook, g.admin = listening["grpc"], listening["webhook"], listening["admin"]
}

func (g *gatewayProcess) kill() {
	g.t.Helper()
	g.signal(syscall.SIGKILL)
	_ = g.command.Wait()
	g.command = nil
}

func (g *gatewayProcess) terminate() {
	g.t.Helper()
	g.signal(syscall.SIGTERM)
	if err := g.command.Wait(); err != nil {
		g.t.Fatalf("the gateway ended with %v", err)
	}
	g.command = nil
}

func (g *gatewayProcess) signal(number syscall.Signal) {
	g.t.Helper()
	if err := g.command.Process.Signal(number); err != nil {
		g.t.Fatal(err)
	}
}

// readListening starts a program and reads its lines "listening NAME ADDRESS".
func readListening(t *testing.T, command *exec.Cmd, count int) map[string]string {
	t.Helper()
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	listening := map[string]string{}
	for lines := bufio.NewScanner(stdout); len(listening) < count; {
		if !lines.Scan() {
			t.Fatalf("%s ended before it was ready", command.Path)
		}
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == "listening" {
			listening[words[1]] = words[2]
		}
	}
	return listening
}
