package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"sync"

	_ "github.com/mattn/go-sqlite3"
)

const mostInCommit = 128

var errNotStored = errors.New("not stored")

// event is one stored webhook.
type event struct {
	sequence                                                   int64
	deliveryID, sessionID, kind, peer, messageID, bodyOrStatus string
	raw                                                        []byte
}

// store is one SQLite database, synchronous=FULL. One goroutine writes, and commits whatever waits in one transaction.
type store struct {
	db      *sql.DB
	writes  chan write
	mu      sync.Mutex
	changed chan struct{} // closed and made anew when events were added
}

// write is one statement that waits for its commit.
type write struct {
	statement *sql.Stmt
	arguments []any
	done      chan error
	added     bool // an event
}

func openStore(folder string) (*store, error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(folder, "peer.db")+"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		`CREATE TABLE IF NOT EXISTS events(sequence INTEGER PRIMARY KEY, delivery_id TEXT UNIQUE, session_id TEXT, kind TEXT,
			peer TEXT, message_id TEXT, body TEXT, raw BLOB)`,
		`CREATE TABLE IF NOT EXISTS sends(request_id TEXT PRIMARY KEY, answer BLOB)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			return nil, err
		}
	}
	s := &store{db: db, writes: make(chan write, 4*mostInCommit), changed: make(chan struct{})}
	go s.commit()
	return s, nil
}

func (s *store) commit() {
	for first := range s.writes {
		batch := []write{first}
		for more := true; more && len(batch) < mostInCommit; {
			select {
			case next := <-s.writes:
				batch = append(batch, next)
			default:
				more = false
			}
		}
		err := s.commitBatch(batch)
		added := false
		for _, each := range batch {
			each.done <- err
			added = added || each.added
		}
		if added && err == nil {
			s.mu.Lock()
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		}
	}
}

func (s *store) commitBatch(batch []write) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	for _, each := range batch {
		if _, err := tx.Stmt(each.statement).Exec(each.arguments...); err != nil {
			_ = tx.Rollback()
			return err
		}
	}
	return tx.Commit()
}

// run waits until the statement is durable.
func (s *store) run(added bool, statement *sql.Stmt, arguments ...any) error {
	done := make(chan error, 1)
	s.writes <- write{statement, arguments, done, added}
	return <-done
}

// after returns at most limit events behind a sequence, and what is closed when there are more.
func (s *store) after(sequence int64, limit int) ([]event, <-chan struct{}, error) {
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	rows, err := s.db.Query(`SELECT sequence, delivery_id, session_id, kind, peer, message_id, body, raw FROM events
		WHERE sequence > ? ORDER BY sequence LIMIT ?`, sequence, limit)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var events []event
	for rows.Next() {
		var e event
		if err := rows.Scan(&e.sequence, &e.deliveryID, &e.sessionID, &e.kind, &e.peer, &e.messageID, &e.bodyOrStatus,
			&e.raw); err != nil {
			return nil, nil, err
		}
		events = append(events, e)
	}
	return events, changed, rows.Err()
}
