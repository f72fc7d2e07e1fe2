package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// CursorStore is where a subscriber keeps its position, so that its process can be restarted: a file (FileCursorStore), or
// whatever the application writes its results to. Called by one goroutine at a time; may block.
type CursorStore interface {
	// Load returns the cursor that was saved last; nil when none ever was. An error ends the subscribing.
	Load() ([]byte, error)
	// Save keeps the cursor (opaque, under 1 KiB) in place of the last one, all of it or nothing. An error ends the
	// subscribing, too: a store that is worth another try makes that by itself.
	Save(cursor []byte) error
}

// MemoryCursorStore is a cursor that is gone with the process: for tests, and for subscribing anew within one. The zero
// value is empty. Safe for concurrent use.
type MemoryCursorStore struct {
	mu     sync.Mutex
	cursor []byte
}

// Load implements CursorStore.
func (s *MemoryCursorStore) Load() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor, nil
}

// Save implements CursorStore.
func (s *MemoryCursorStore) Save(cursor []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor = bytes.Clone(cursor)
	return nil
}

// FileCursorStore is a cursor in a file of its own, as one line of base64url. Saving writes a file beside it (".new"), syncs
// that and renames it over: a crash leaves the old cursor or the new one. One process a file.
type FileCursorStore struct {
	// Path of the file, which need not exist; its directory must.
	Path string
}

// Load returns nil when there is no such file, and an error when it holds no cursor.
func (s FileCursorStore) Load() ([]byte, error) {
	text, err := os.ReadFile(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cursor, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(bytes.TrimSpace(text), "=")))
	if err != nil || len(cursor) == 0 {
		return nil, fmt.Errorf("the cursor file %s holds no cursor: move it away to start anew, or put the last good one back",
			s.Path)
	}
	return cursor, nil
}

// Save implements CursorStore.
func (s FileCursorStore) Save(cursor []byte) (err error) {
	file, err := os.Create(s.Path + ".new")
	if err != nil {
		return err
	}
	_, err = file.WriteString(base64.URLEncoding.EncodeToString(cursor) + "\n")
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), s.Path)
}
