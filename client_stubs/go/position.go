package gateway

import (
	"errors"
	"sync"
	"time"
)

// place is one cursor on the way, passed once it is done.
type place struct {
	cursor string
	done   bool
}

// position knows how far a subscriber has come: what it received, what it handled, and what it saved of that. Events may be
// handled in another order than they came; the position stands before the oldest one that is not handled. Safe for
// concurrent use; whoever calls done or saveIfDue may block on the store. What the store fails with is returned, now and ever
// after, but for what may pass: a gateway that is away. That is told of, and tried again later.
type position struct {
	store    CursorStore // nil: nothing is saved
	interval time.Duration
	notSaved func(error)

	mu      sync.Mutex
	places  []*place // from the oldest that is not done
	unsaved []string // cursors behind saved, up to handled
	last    string   // what came last
	handled string

	saving  sync.Mutex // held while the store is called
	saved   string
	savedAt time.Time
	failure error // of the store, for good
}

func newPosition(store CursorStore, interval time.Duration, notSaved func(error)) *position {
	return &position{store: store, interval: interval, notSaved: notSaved, savedAt: time.Now()}
}

// load takes the position from the store.
func (p *position) load() (string, error) {
	if p.store == nil {
		return "", nil
	}
	cursor, err := p.store.Load()
	if err != nil {
		return "", err
	}
	p.saved, p.handled = string(cursor), string(cursor)
	return p.saved, nil
}

// add notes an event that was received.
func (p *position) add(cursor []byte) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	added := &place{cursor: string(cursor)}
	p.last = added.cursor
	p.places = append(p.places, added)
	return added
}

// moveTo notes that nothing is left to handle between what was added last and this cursor.
func (p *position) moveTo(cursor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cursor == "" || cursor == p.last {
		return
	}
	p.last = cursor
	p.places = append(p.places, &place{cursor: cursor, done: true})
	p.advance()
}

// notSavedYet returns the cursors of what was received and is not known to be saved: where the store says where to go on,
// these may come again.
func (p *position) notSavedYet() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	cursors := map[string]bool{}
	for _, passed := range p.unsaved {
		cursors[passed] = true
	}
	for _, open := range p.places {
		cursors[open.cursor] = true
	}
	return cursors
}

// done notes that an event was handled.
func (p *position) done(handled *place) error {
	p.mu.Lock()
	handled.done = true
	p.advance()
	p.mu.Unlock()
	return p.saveIfDue()
}

// advance passes what is done. With mu held.
func (p *position) advance() {
	for len(p.places) > 0 && p.places[0].done {
		p.handled = p.places[0].cursor
		p.places = p.places[1:]
		if p.store != nil {
			p.unsaved = append(p.unsaved, p.handled)
		}
	}
}

// saveIfDue saves when something is to be saved and the interval has passed.
func (p *position) saveIfDue() error {
	p.saving.Lock()
	due, failure := time.Since(p.savedAt) >= p.interval, p.failure
	p.saving.Unlock()
	if !due || failure != nil {
		return failure
	}
	return p.save()
}

// save saves now.
func (p *position) save() error {
	if p.store == nil {
		return nil
	}
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	cursor := p.handled
	p.mu.Unlock()
	if cursor == "" || cursor == p.saved || p.failure != nil {
		return p.failure
	}
	p.savedAt = time.Now() // also after a failure: it is not tried again at once
	if err := p.store.Save([]byte(cursor)); err != nil {
		var failed *CallError
		if errors.As(err, &failed) && mayPass(failed.Code) {
			p.notSaved(err)
			return nil
		}
		p.failure = err
		return err
	}
	p.saved = cursor
	p.forgetUpTo(cursor)
	return nil
}

func (p *position) forgetUpTo(saved string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.unsaved) > 0 {
		cursor := p.unsaved[0]
		p.unsaved = p.unsaved[1:]
		if cursor == saved {
			return
		}
	}
}
