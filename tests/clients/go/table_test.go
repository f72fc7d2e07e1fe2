package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// table is tests/clients/conformance/cases.json. Fields that are not known here are errors.
type table struct {
	Sessions map[string]string `json:"sessions"`
	Excluded map[string]string `json:"excluded"`
	Cases    []tableCase       `json:"cases"`
}

type tableCase struct {
	Name      string   `json:"name"`
	Shows     string   `json:"shows"`
	Simulator []string `json:"simulator"`
	Client    struct {
		TimeoutMS int `json:"timeout_ms"`
	} `json:"client"`
	Steps []step `json:"steps"`
}

// step has one of the fields besides Expect.
type step struct {
	Gateway            string                  `json:"gateway"`
	Simulator          json.RawMessage         `json:"simulator"`
	Webhook            *webhookStep            `json:"webhook"`
	Inbound            *inboundStep            `json:"inbound"`
	Requests           *requestsStep           `json:"requests"`
	SendText           *sendStep               `json:"send_text"`
	SendImage          *sendStep               `json:"send_image"`
	Await              string                  `json:"await"`
	SessionStatus      *sessionStatusStep      `json:"session_status"`
	Subscribe          *subscribeStep          `json:"subscribe"`
	Handling           *eventsStep             `json:"handling"`
	Handled            *eventsStep             `json:"handled"`
	Release            *eventsStep             `json:"release"`
	Notice             *noticeStep             `json:"notice"`
	Stopping           string                  `json:"stopping"`
	Stop               string                  `json:"stop"`
	Ended              *endedStep              `json:"ended"`
	CopyStore          *copyStoreStep          `json:"copy_store"`
	CreateSubscription *createSubscriptionStep `json:"create_subscription"`
	SubscriptionStats  map[string]any          `json:"subscription_stats"`
	Parked             *parkedStep             `json:"parked"`
	ReplayParked       *parkedStep             `json:"replay_parked"`
	Expect             map[string]any          `json:"expect"`
}

type webhookStep struct {
	Method string         `json:"method"`
	Path   string         `json:"path"`
	Body   map[string]any `json:"body"`
}

type inboundStep struct {
	From   string   `json:"from"`
	Bodies []string `json:"bodies"`
}

type requestsStep struct {
	Path          string   `json:"path"`
	Count         int      `json:"count"`
	Accepted      int      `json:"accepted"`
	BodiesContain []string `json:"bodies_contain"`
}

type sendStep struct {
	As         string    `json:"as"`
	Background bool      `json:"background"`
	Session    string    `json:"session"`
	To         string    `json:"to"`
	Body       string    `json:"body"`
	Caption    string    `json:"caption"`
	DataBase64 []byte    `json:"data_base64"`
	URL        string    `json:"url"`
	RequestID  requestID `json:"request_id"`
	TimeoutMS  int       `json:"timeout_ms"`
}

// requestID is a string, or the one that another send was answered with.
type requestID struct {
	text, of string
}

func (r *requestID) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &r.text) == nil {
		return nil
	}
	var other struct {
		Of string `json:"request_id_of"`
	}
	err := strict(data, &other)
	r.of = other.Of
	return err
}

type sessionStatusStep struct {
	Session string `json:"session"`
}

type subscribeStep struct {
	As                   string              `json:"as"`
	Start                *start              `json:"start"`
	Filter               *filter             `json:"filter"`
	HeartbeatMS          int                 `json:"heartbeat_ms"`
	OnExpiredCursor      string              `json:"on_expired_cursor"`
	IncludeRawBody       bool                `json:"include_raw_body"`
	CursorStore          string              `json:"cursor_store"`
	Concurrency          int                 `json:"concurrency"`
	Subscription         string              `json:"subscription"`
	Mode                 string              `json:"mode"`
	MaxOutstandingEvents uint32              `json:"max_outstanding_events"`
	Hold                 []string            `json:"hold"`
	Fail                 []string            `json:"fail"`
	Settle               map[string][]string `json:"settle"`
}

// start is a position's name, or one of the fields.
type start struct {
	position string
	CursorOf string `json:"cursor_of"`
	TimeOf   string `json:"time_of"`
	Cursor   []byte `json:"cursor_base64"`
}

func (s *start) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &s.position) == nil {
		return nil
	}
	type fields start
	return strict(data, (*fields)(s))
}

type filter struct {
	Types      []string `json:"types"`
	Statuses   []string `json:"statuses"`
	SessionIDs []string `json:"session_ids"`
	Peers      []string `json:"peers"`
	MessageIDs []string `json:"message_ids"`
	TestEvents string   `json:"test_events"`
}

type eventsStep struct {
	By         names    `json:"by"`
	Events     []string `json:"events"`
	InAnyOrder bool     `json:"in_any_order"`
	RawBodies  []string `json:"raw_bodies"`
	Attempts   []uint32 `json:"attempts"`
}

// names are one or several.
type names []string

func (n *names) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(n))
}

type noticeStep struct {
	By     string `json:"by"`
	Kind   string `json:"kind"`
	Count  int    `json:"count"`
	Expect struct {
		Code      *string `json:"code"`
		Reason    *string `json:"reason"`
		CaughtUp  *bool   `json:"caught_up"`
		LagEvents *uint64 `json:"lag_events"`
	} `json:"expect"`
}

type endedStep struct {
	By            string         `json:"by"`
	Error         map[string]any `json:"error"`
	HandlerFailed bool           `json:"handler_failed"`
}

type copyStoreStep struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type createSubscriptionStep struct {
	Name          string `json:"name"`
	Mode          string `json:"mode"`
	Start         *start `json:"start"`
	MaxAttempts   uint32 `json:"max_attempts"`
	RetryDelayMS  int    `json:"retry_delay_ms"`
	AckDeadlineMS int    `json:"ack_deadline_ms"`
}

type parkedStep struct {
	Subscription string   `json:"subscription"`
	Events       []string `json:"events"`
	Reasons      []string `json:"reasons"`
	InAnyOrder   bool     `json:"in_any_order"`
}

// strict decodes JSON and refuses fields that are not known.
func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func readTable() (*table, error) {
	data, err := os.ReadFile("../conformance/cases.json")
	if err != nil {
		return nil, err
	}
	t := &table{}
	if err := strict(data, t); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, c := range t.Cases {
		known[c.Name] = true
	}
	if len(known) != 31 {
		return nil, fmt.Errorf("the table has %d cases, not 31", len(known))
	}
	for name := range t.Excluded {
		if !known[name] {
			return nil, fmt.Errorf("excluded %q is no case", name)
		}
	}
	return t, nil
}
